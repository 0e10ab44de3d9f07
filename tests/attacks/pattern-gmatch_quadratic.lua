--- Pattern: gmatch quadratic.
-- expect: too costly or stopped as
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local n = 0
  for _ in ("a"):rep(50000):gmatch("a-b") do n = n + 1 end
end }
