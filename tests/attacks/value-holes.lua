--- Value: holes.
-- expect: hole
-- exit: 1
return runbook { title = "Attack", run = function(input)
  step("S", function() return { 1, nil, 3 } end)
end }
