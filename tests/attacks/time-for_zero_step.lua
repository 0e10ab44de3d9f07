--- Time: for zero step.
-- expect: done
-- exit: 0
return runbook { title = "Attack", run = function(input)
  for i = 1, 2, 0 do end
end }
