--- Call: endless refused.
-- expect: stopped as an endless loop
-- exit: 1
local box = require "box"
return runbook { title = "Attack", run = function(input)
  local o = select(2, 0, box.open)
  while true do pcall(o, { nme = "a" }) end
end }
