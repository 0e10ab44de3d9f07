--- Time: iterator.
-- expect: stopped as an endless loop
-- exit: 1
return runbook { title = "Attack", run = function(input)
  for _ in function() return true end do end
end }
