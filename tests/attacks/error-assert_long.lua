--- Error: assert long.
-- expect: more bytes
-- exit: 1
return runbook { title = "Attack", run = function(input)
  assert(false, ("x"):rep(8e6))
end }
