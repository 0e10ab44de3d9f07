--- Memory: byte.
-- expect: too long
-- exit: 1
return runbook { title = "Attack", run = function(input)
  return { ("x"):rep(1e6):byte(1, -1) }
end }
