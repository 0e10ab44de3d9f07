--- Source: runbook odd.
-- expect: runbook takes a table: runbook { title = ..., ... }, not a number
-- exit: 2
return runbook(5)
