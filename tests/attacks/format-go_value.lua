--- Format: go value.
-- expect: invalid option
-- exit: 1
return runbook { title = "Attack", run = function(input)
  return ("%#v"):format({})
end }
