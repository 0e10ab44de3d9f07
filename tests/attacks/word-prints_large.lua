--- Word: prints large.
-- expect: stopped as an endless loop
-- exit: 1
return runbook { title = "Attack", run = function(input)
  while true do print(("x"):rep(8e6)) end
end }
