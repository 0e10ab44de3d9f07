--- Format: pointer.
-- expect: invalid option
-- exit: 1
return runbook { title = "Attack", run = function(input)
  return ("%p"):format({})
end }
