--- Source: runbook cyclic.
-- expect: runbook.tags:
-- exit: 2
local t = { title = "Attack", run = function() end }
t.tags = t
return runbook(t)
