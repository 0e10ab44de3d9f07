--- Format: count.
-- expect: invalid option
-- exit: 1
return runbook { title = "Attack", run = function(input)
  return ("%n"):format(1)
end }
