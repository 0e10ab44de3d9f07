--- Escape: secret long.
-- expect: done
-- exit: 0
return runbook { title = "Attack", run = function(input)
  secret(("x"):rep(8e6))
  return secret(("env:"):rep(1e6))
end }
