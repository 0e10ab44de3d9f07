--- Call: binary.
-- expect: UTF-8
-- exit: 1
local box = require "box"
return runbook { title = "Attack", run = function(input)
  box.open { name = "\255" }
end }
