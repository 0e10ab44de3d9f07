--- Call: cycle.
-- expect: contains itself
-- exit: 1
local box = require "box"
return runbook { title = "Attack", run = function(input)
  local t = { name = "a" }
  t.tags = t
  box.open(t)
end }
