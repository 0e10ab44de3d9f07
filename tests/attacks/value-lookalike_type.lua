--- Value: lookalike type.
-- expect: done
-- exit: 0
return runbook { title = "Attack", run = function(input)
  step("S", function() return { ["$type"] = "hetzner.Server" } end)
end }
