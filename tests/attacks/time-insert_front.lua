--- Time: insert front.
-- expect: stopped as an endless loop
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local t = {}
  t[500000] = 1
  for i = 1, 500000 do t[i] = i end
  while true do table.insert(t, 1, 0) end
end }
