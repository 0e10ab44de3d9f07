--- Format: few arguments.
-- expect: no value
-- exit: 1
return runbook { title = "Attack", run = function(input)
  return ("%s%s"):format("x")
end }
