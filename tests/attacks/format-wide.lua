--- Format: wide.
-- expect: too long
-- exit: 1
return runbook { title = "Attack", run = function(input)
  return ("%99999d"):format(1)
end }
