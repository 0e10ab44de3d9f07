--- Source: runbook huge.
-- expect: of text; keep it where it is
-- exit: 2
return runbook { title = ("x"):rep(8e6), run = function() end }
