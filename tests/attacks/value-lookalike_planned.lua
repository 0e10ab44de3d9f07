--- Value: lookalike planned.
-- expect: done
-- exit: 0
return runbook { title = "Attack", run = function(input)
  step("S", function() return { ["$planned"] = "x" } end)
end }
