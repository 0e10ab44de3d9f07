--- Pattern: gsub quadratic.
-- expect: the pattern is too costly for this string
-- exit: 1
return runbook { title = "Attack", run = function(input)
  return (("a"):rep(1e5):gsub("a-b", ""))
end }
