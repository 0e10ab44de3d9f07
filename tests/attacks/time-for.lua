--- Time: for.
-- expect: stopped as an endless loop
-- exit: 1
return runbook { title = "Attack", run = function(input)
  for i = 1, math.huge do end
end }
