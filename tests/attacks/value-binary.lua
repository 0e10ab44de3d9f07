--- Value: binary.
-- expect: valid UTF-8
-- exit: 1
return runbook { title = "Attack", run = function(input)
  step("S", function() return "\255\254" end)
end }
