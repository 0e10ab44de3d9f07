--- Word: timeout negative.
-- expect: must be a time
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local o = { timeout = "-5m" }
  step("S", o, function() end)
end }
