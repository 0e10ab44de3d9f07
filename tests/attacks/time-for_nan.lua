--- Time: for nan.
-- expect: stopped as an endless loop
-- exit: 1
return runbook { title = "Attack", run = function(input)
  for i = 1, 0/0 do end
  for i = 0/0, 1 do end
  for i = 1, 1e300, 1e-300 do end
end }
