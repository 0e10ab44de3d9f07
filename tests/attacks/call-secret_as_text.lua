--- Call: secret as text.
-- expect: must be a string
-- exit: 1
local box = require "box"
return runbook { title = "Attack", run = function(input)
  local t = { name = secret("env:HOME") }
  box.open(t)
end }
