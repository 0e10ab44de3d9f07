--- Call: module assign.
-- expect: ?
-- exit: 1
local box = require "box"
return runbook { title = "Attack", run = function(input)
  local w, k = { box }, 1
  local b = w[k]
  b.open = print
end }
