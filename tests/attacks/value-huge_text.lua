--- Value: huge text.
-- expect: KiB of text
-- exit: 1
return runbook { title = "Attack", run = function(input)
  step("S", function() return ("x"):rep(8e6) end)
end }
