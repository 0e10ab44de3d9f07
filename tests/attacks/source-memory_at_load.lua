--- Source: memory at load.
-- expect: memory runs out or stopped as
-- exit: 2
local t = {}
while true do t[#t + 1] = ("x"):rep(1e6) end
return runbook { title = "Attack", run = function() end }
