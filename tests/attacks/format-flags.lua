--- Format: flags.
-- expect: repeated flags
-- exit: 1
return runbook { title = "Attack", run = function(input)
  return ("%------5d"):format(1)
end }
