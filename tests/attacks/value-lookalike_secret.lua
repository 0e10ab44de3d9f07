--- Value: lookalike secret.
-- expect: done
-- exit: 0
return runbook { title = "Attack", run = function(input)
  step("S", function() return { ["$secret"] = "env:HOME" } end)
end }
