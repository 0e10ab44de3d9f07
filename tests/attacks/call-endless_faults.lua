--- Call: endless faults.
-- expect: goes on without end or stopped as
-- exit: 1
local box = require "box"
return runbook { title = "Attack", run = function(input)
  while true do pcall(box.open, { name = "missing" }) end
end }
