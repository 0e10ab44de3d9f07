--- Pattern: back reference quadratic.
-- expect: the pattern is too costly for this string
-- exit: 1
return runbook { title = "Attack", run = function(input)
  return (("a"):rep(20000):find("(.*)%1%1b"))
end }
