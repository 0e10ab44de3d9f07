--- Time: sort random order.
-- expect: done
-- exit: 0
return runbook { title = "Attack", run = function(input)
  local t = {}
  for i = 1, 100 do t[i] = i end
  table.sort(t, function() return math.random(2) == 1 end)
  return { n = #t }
end }
