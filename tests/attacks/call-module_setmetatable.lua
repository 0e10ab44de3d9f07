--- Call: module setmetatable.
-- expect: protected
-- exit: 1
local box = require "box"
return runbook { title = "Attack", run = function(input)
  local w, k = { box }, 1
  setmetatable(w[k], {})
end }
