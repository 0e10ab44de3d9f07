--- Source: runbook huge.
-- expect: runbook.title: the value holds more than 1024 KiB of text; keep it whe
-- exit: 2
return runbook { title = ("x"):rep(8e6), run = function() end }
