--- Error: level nan.
-- expect: odd
-- exit: 1
return runbook { title = "Attack", run = function(input)
  error("odd", 0/0)
end }
