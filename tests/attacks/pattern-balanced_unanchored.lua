--- Pattern: balanced unanchored.
-- expect: the pattern is too costly for this string
-- exit: 1
return runbook { title = "Attack", run = function(input)
  return (("("):rep(1e5):find("%b()"))
end }
