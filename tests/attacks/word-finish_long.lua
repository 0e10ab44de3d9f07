--- Word: finish long.
-- expect: done
-- exit: 0
return runbook { title = "Attack", run = function(input)
  return finish(("x"):rep(8e6))
end }
