--- Call: huge result.
-- expect: done
-- exit: 0
local box = require "box"
return runbook { title = "Attack", run = function(input)
  local r = box.huge {}
  return #r.text
end }
