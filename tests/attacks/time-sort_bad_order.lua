--- Time: sort bad order.
-- expect: stopped as an endless loop
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local t = {}
  for i = 1, 5000 do t[i] = i end
  while true do table.sort(t, function() return true end) end
end }
