--- Source: endless at load.
-- expect: stopped as an endless loop
-- exit: 2
while true do end
return runbook { title = "Attack", run = function() end }
