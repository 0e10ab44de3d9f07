--- Call: too large.
-- expect: box.open: argument
-- exit: 1
local box = require "box"
return runbook { title = "Attack", run = function(input)
  box.open { name = "a", size = 1e300 }
end }
