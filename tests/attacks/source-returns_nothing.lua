--- Source: returns nothing.
-- expect: the file must end in `return runbook { ... }`
-- exit: 2
local x = 1
