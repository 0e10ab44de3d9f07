--- Word: no function.
-- expect: takes a function
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local s = select(2, 0, step)
  s("S", 5)
end }
