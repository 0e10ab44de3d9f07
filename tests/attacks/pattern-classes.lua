--- Pattern: classes.
-- expect: too costly or stopped as
-- exit: 1
return runbook { title = "Attack", run = function(input)
  return (("a"):rep(50000):match("%w*%w*%w*%d"))
end }
