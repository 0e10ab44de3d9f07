--- Value: binary key.
-- expect: valid UTF-8
-- exit: 1
return runbook { title = "Attack", run = function(input)
  step("S", function() return { ["\255"] = 1 } end)
end }
