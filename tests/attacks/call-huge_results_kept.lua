--- Call: huge results kept.
-- expect: memory runs out or goes on without end
-- exit: 1
local box = require "box"
return runbook { title = "Attack", run = function(input)
  local kept = {}
  while true do kept[#kept + 1] = box.huge {} end
end }
