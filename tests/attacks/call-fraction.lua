--- Call: fraction.
-- expect: must be a whole number
-- exit: 2
local box = require "box"
return runbook { title = "Attack", run = function(input)
  local w, k = { box }, 1
  w[k].open { name = "a", size = 1.5 }
end }
