--- Source: recursion at load.
-- expect: stack overflow
-- exit: 2
local function f() return 1 + f() end
f()
return runbook { title = "Attack", run = function() end }
