--- Call: fault metatable.
-- expect: done
-- exit: 0
local box = require "box"
return runbook { title = "Attack", run = function(input)
  local ok, f = pcall(function() return box.open { name = "missing" } end)
  return getmetatable(f).__index
end }
