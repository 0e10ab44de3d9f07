--- Call: no table.
-- expect: takes exactly one table
-- exit: 1
local box = require "box"
return runbook { title = "Attack", run = function(input)
  local w, k = { box.open }, 1
  local function f(...) return w[k](...) end
  f("a")
end }
