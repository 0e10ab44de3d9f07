--- Word: option name long.
-- expect: no option
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local o = { [("x"):rep(8e6)] = 1 }
  step("S", o, function() end)
end }
