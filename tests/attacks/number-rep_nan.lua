--- Number: rep nan.
-- expect: done
-- exit: 0
return runbook { title = "Attack", run = function(input)
  return { s = ("x"):rep(0/0) .. ("x"):rep(-1e300) }
end }
