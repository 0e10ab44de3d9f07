--- Time: length dead items.
-- expect: stopped as an endless loop
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local t = {}
  t[1000000] = 1
  t[1000000] = nil
  local n = 0
  while true do n = n + #t end
end }
