--- Pattern: lazy.
-- expect: the pattern is too costly for this string
-- exit: 1
return runbook { title = "Attack", run = function(input)
  return (("a"):rep(50000):find(".-.-.-.-b"))
end }
