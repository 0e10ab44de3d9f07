--- Pattern: classes.
-- expect: the pattern is too costly for this string
-- exit: 1
return runbook { title = "Attack", run = function(input)
  return (("a"):rep(50000):match("%w*%w*%w*%d"))
end }
