--- Pattern: optional.
-- expect: too costly or stopped as
-- exit: 1
return runbook { title = "Attack", run = function(input)
  return (("a"):rep(30):find(("a?"):rep(30) .. ("a"):rep(30) .. "b"))
end }
