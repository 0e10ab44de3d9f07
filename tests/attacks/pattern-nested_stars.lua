--- Pattern: nested stars.
-- expect: too costly or stopped as
-- exit: 1
return runbook { title = "Attack", run = function(input)
  return (("a"):rep(5000):find(("a*"):rep(30) .. "b"))
end }
