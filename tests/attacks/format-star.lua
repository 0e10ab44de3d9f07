--- Format: star.
-- expect: invalid option
-- exit: 1
return runbook { title = "Attack", run = function(input)
  return ("%*d"):format(5, 1)
end }
