--- Pattern: parentheses.
-- expect: too many captures
-- exit: 1
return runbook { title = "Attack", run = function(input)
  return (("x"):find(("("):rep(100)))
end }
