--- Call: in coroutine of sort.
-- expect: done
-- exit: 0
local box = require "box"
return runbook { title = "Attack", run = function(input)
  local t = {}
  for i = 1, 50 do t[i] = -i end
  table.sort(t, function(a, b) box.open { name = "s" } return a < b end)
  return { n = #t }
end }
