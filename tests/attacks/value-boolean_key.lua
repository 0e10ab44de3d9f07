--- Value: boolean key.
-- expect: key that is
-- exit: 1
return runbook { title = "Attack", run = function(input)
  step("S", function() return { [true] = 1 } end)
end }
