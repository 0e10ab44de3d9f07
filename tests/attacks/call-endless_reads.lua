--- Call: endless reads.
-- expect: goes on without end or stopped as
-- exit: 1
local box = require "box"
return runbook { title = "Attack", run = function(input)
  while true do box.open { name = "a" } end
end }
