--- Value: library.
-- expect: what this function returns cannot be kept: the value is a library or a
-- exit: 1
return runbook { title = "Attack", run = function(input)
  step("S", function() return string end)
end }
