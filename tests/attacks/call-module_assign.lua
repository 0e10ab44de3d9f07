--- Call: module assign.
-- expect: b cannot be changed
-- exit: 2
local box = require "box"
return runbook { title = "Attack", run = function(input)
  local w, k = { box }, 1
  local b = w[k]
  b.open = print
end }
