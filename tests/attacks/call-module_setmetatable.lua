--- Call: module setmetatable.
-- expect: protected
-- exit: 1
local box = require "box"
return runbook { title = "Attack", run = function(input)
  local hidden = select(2, 0, box)
  setmetatable(hidden, {})
end }
