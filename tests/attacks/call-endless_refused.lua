--- Call: endless refused.
-- expect: stopped as an endless loop
-- exit: 1
local box = require "box"
return runbook { title = "Attack", run = function(input)
  local w, k = { box }, 1
  while true do pcall(w[k].open, { nme = "a" }) end
end }
