--- Source: returns number.
-- expect: the file must end in `return runbook { ... }`, and it returns somethin
-- exit: 2
return 5
