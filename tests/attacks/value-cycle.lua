--- Value: cycle.
-- expect: contains itself
-- exit: 1
return runbook { title = "Attack", run = function(input)
  step("S", function() local t = {} t.t = t return t end)
end }
