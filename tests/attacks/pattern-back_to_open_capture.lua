--- Pattern: back to open capture.
-- expect: invalid capture
-- exit: 1
return runbook { title = "Attack", run = function(input)
  return (("x"):find("(x%1)"))
end }
