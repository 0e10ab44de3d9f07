--- Value: sparse.
-- expect: hole
-- exit: 1
return runbook { title = "Attack", run = function(input)
  step("S", function() local t = {} t[1000000] = 1 return t end)
end }
