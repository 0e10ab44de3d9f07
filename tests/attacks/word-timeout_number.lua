--- Word: timeout number.
-- expect: step: option timeout must be a string, not number
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local o = { timeout = 5 }
  step("S", o, function() end)
end }
