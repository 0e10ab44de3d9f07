--- Call: lazy index.
-- expect: required
-- exit: 1
local box = require "box"
return runbook { title = "Attack", run = function(input)
  local t = setmetatable({}, { __index = function() while true do end end })
  box.open(t)
end }
