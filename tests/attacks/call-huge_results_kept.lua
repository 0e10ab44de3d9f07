--- Call: huge results kept.
-- expect: goes on without end or memory runs out
-- exit: 1
local box = require "box"
return runbook { title = "Attack", run = function(input)
  local kept = {}
  while true do kept[#kept + 1] = box.huge {} end
end }
