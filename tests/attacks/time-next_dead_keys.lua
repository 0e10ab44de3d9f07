--- Time: next dead keys.
-- expect: stopped as an endless loop
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local t = {}
  for i = 1, 200000 do t["k" .. i] = true t["k" .. i] = nil end
  while true do next(t) end
end }
