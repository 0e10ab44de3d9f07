--- Word: attempts huge.
-- expect: step: option attempts must be a whole number from 1 to 100
-- exit: 1
return runbook { title = "Attack", run = function(input)
  step("S", { attempts = 1e9 }, function() error("x") end)
end }
