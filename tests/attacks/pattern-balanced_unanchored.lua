--- Pattern: balanced unanchored.
-- expect: too costly or stopped as
-- exit: 1
return runbook { title = "Attack", run = function(input)
  return (("("):rep(1e5):find("%b()"))
end }
