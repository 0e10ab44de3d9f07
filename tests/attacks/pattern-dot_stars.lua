--- Pattern: dot stars.
-- expect: too costly or stopped as
-- exit: 1
return runbook { title = "Attack", run = function(input)
  return (("a"):rep(50000):match(".*.*.*.*b"))
end }
