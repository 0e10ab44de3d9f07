--- Pattern: back reference quadratic.
-- expect: too costly or stopped as
-- exit: 1
return runbook { title = "Attack", run = function(input)
  return (("a"):rep(20000):find("(.*)%1%1b"))
end }
