--- Call: function.
-- expect: no plain data
-- exit: 1
local box = require "box"
return runbook { title = "Attack", run = function(input)
  local t = { name = print }
  box.open(t)
end }
