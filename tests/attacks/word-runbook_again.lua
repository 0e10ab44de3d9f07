--- Word: runbook again.
-- expect: a file declares one runbook or drill, and this is the second
-- exit: 2
return runbook { title = "Attack", run = function(input)
  runbook { title = "B", run = function() end }
end }
