--- Value: huge key.
-- expect: KiB of text
-- exit: 1
return runbook { title = "Attack", run = function(input)
  step("S", function() return { [("k"):rep(8e6)] = 1 } end)
end }
