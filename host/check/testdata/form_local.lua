local book = runbook { title = "x", run = function() end }
return book
