--- Pattern: unfinished capture.
-- expect: unfinished capture
-- exit: 1
return runbook { title = "Attack", run = function(input)
  return (("x"):find("(x"))
end }
