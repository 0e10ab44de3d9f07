return runbook("x") --! runbook takes a table: runbook { title = ..., ... }, not a string
