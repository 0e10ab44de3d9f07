--- Error: level.
-- expect: far
-- exit: 1
return runbook { title = "Attack", run = function(input)
  error("far", 1e9)
end }
