--- Call: endless refused.
-- expect: stopped as an endless loop
-- exit: 2
local box = require "box"
return runbook { title = "Attack", run = function(input)
  while true do pcall(box.open, { nme = "a" }) end
end }
