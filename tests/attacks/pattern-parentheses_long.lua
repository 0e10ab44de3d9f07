--- Pattern: parentheses long.
-- expect: longer than 4096
-- exit: 1
return runbook { title = "Attack", run = function(input)
  return (("x"):find(("("):rep(5e6)))
end }
