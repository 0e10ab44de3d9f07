--- Format: go index.
-- expect: invalid option
-- exit: 1
return runbook { title = "Attack", run = function(input)
  return ("%[1]s"):format("x")
end }
