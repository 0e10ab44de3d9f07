--- Call: list.
-- expect: named arguments
-- exit: 1
local box = require "box"
return runbook { title = "Attack", run = function(input)
  local f = select(2, 0, box.open)
  f({ "a" })
end }
