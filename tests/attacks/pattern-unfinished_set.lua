--- Pattern: unfinished set.
-- expect: malformed pattern
-- exit: 1
return runbook { title = "Attack", run = function(input)
  return (("x"):find("[x"))
end }
