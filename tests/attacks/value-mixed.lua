--- Value: mixed.
-- expect: mixes list items
-- exit: 1
return runbook { title = "Attack", run = function(input)
  step("S", function() return { 1, x = 2 } end)
end }
