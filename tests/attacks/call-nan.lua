--- Call: nan.
-- expect: recorded
-- exit: 1
local box = require "box"
return runbook { title = "Attack", run = function(input)
  box.open { name = "a", size = 0/0 }
end }
