--- Time: sort changing order.
-- expect: done
-- exit: 0
return runbook { title = "Attack", run = function(input)
  local t = {}
  for i = 1, 300 do t[i] = -i end
  table.sort(t, function(a, b) t[#t + 1] = a t[1] = nil return a < b end)
  return { n = #t }
end }
