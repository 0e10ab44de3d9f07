--- Call: module rawset.
-- expect: cannot be changed
-- exit: 1
local box = require "box"
return runbook { title = "Attack", run = function(input)
  local hidden = select(2, 0, box)
  rawset(hidden, "open", print)
end }
