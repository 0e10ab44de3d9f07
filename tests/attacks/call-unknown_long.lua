--- Call: unknown long.
-- expect: box.open: argument
-- exit: 1
local box = require "box"
return runbook { title = "Attack", run = function(input)
  local t = { name = "a", [("x"):rep(200000)] = 1 }
  box.open(t)
end }
