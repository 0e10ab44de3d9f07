--- Call: at load.
-- expect: this calls box.open while the file is loaded
-- exit: 2
local box = require "box"
local w = { box.open }
local function f(...) return w[1](...) end
f { name = "a" }
return runbook { title = "Attack", run = function() end }
