--- Pattern: gsub quadratic.
-- expect: too costly or stopped as
-- exit: 1
return runbook { title = "Attack", run = function(input)
  return (("a"):rep(1e5):gsub("a-b", ""))
end }
