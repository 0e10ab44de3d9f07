--- Word: approve long.
-- expect: more bytes
-- exit: 3
return runbook { title = "Attack", run = function(input)
  approve(("x"):rep(8e6))
end }
