--- Word: attempts negative.
-- expect: whole number
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local o = { attempts = -1 }
  step("S", o, function() end)
end }
