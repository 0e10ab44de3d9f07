--- Call: module rawset.
-- expect: cannot be changed
-- exit: 1
local box = require "box"
return runbook { title = "Attack", run = function(input)
  local w, k = { box }, 1
  rawset(w[k], "open", print)
end }
