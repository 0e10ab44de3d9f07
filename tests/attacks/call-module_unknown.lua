--- Call: module unknown.
-- expect: there is no function
-- exit: 1
local box = require "box"
return runbook { title = "Attack", run = function(input)
  local b, k = box, ("x"):rep(8e6)
  return b[k]
end }
