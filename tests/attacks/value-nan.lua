--- Value: nan.
-- expect: no number that can be recorded
-- exit: 1
return runbook { title = "Attack", run = function(input)
  step("S", function() return 0/0 end)
end }
