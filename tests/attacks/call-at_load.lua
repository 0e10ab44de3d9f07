--- Call: at load.
-- expect: ?
-- exit: 2
local box = require "box"
local w = { box.open }
local function f(...) return w[1](...) end
f { name = "a" }
return runbook { title = "Attack", run = function() end }
