--- Source: endless at load.
-- expect: the script did the work of 10000000 instructions between two calls; it
-- exit: 2
while true do end
return runbook { title = "Attack", run = function() end }
