--- Word: timeout short.
-- expect: the step's time ran out
-- exit: 1
return runbook { title = "Attack", run = function(input)
  step("S", { timeout = "1ns" }, function() while true do end end)
end }
