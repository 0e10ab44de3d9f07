--- Word: title long.
-- expect: too long
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local s = select(2, 0, step)
  s(("x"):rep(1e6), function() end)
end }
