--- Call: result metatable.
-- expect: protected
-- exit: 1
local box = require "box"
return runbook { title = "Attack", run = function(input)
  local r = box.open { name = "a" }
  setmetatable(r, nil)
end }
