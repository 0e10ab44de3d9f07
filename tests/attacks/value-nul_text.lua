--- Value: nul text.
-- expect: done
-- exit: 0
return runbook { title = "Attack", run = function(input)
  step("S", function() return "a\0b" end)
end }
