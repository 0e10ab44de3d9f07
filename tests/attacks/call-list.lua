--- Call: list.
-- expect: named arguments
-- exit: 1
local box = require "box"
return runbook { title = "Attack", run = function(input)
  local w, k = { box.open }, 1
  local function f(...) return w[k](...) end
  f({ "a" })
end }
