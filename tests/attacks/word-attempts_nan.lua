--- Word: attempts nan.
-- expect: whole number
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local o = { attempts = 0/0 }
  step("S", o, function() end)
end }
