--- Word: notes evidence.
-- expect: goes on without end or stopped as
-- exit: 1
return runbook { title = "Attack", run = function(input)
  while true do note("x", { x = ("y"):rep(200000) }) end
end }
