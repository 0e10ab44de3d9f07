--- Call: result changed.
-- expect: what this function returns cannot be kept:
-- exit: 1
local box = require "box"
return runbook { title = "Attack", run = function(input)
  local r = box.open { name = "a" }
  r.name = print
  r.self = r
  return r
end }
