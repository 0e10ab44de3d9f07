--- Source: memory at load.
-- expect: the script is stopped because memory runs out: 162 MiB are in use, the
-- exit: 2
local t = {}
while true do t[#t + 1] = ("x"):rep(1e6) end
return runbook { title = "Attack", run = function() end }
