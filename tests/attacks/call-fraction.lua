--- Call: fraction.
-- expect: must be a whole number
-- exit: 1
local box = require "box"
return runbook { title = "Attack", run = function(input)
  local hidden = select(2, 0, box)
  hidden.open { name = "a", size = 1.5 }
end }
