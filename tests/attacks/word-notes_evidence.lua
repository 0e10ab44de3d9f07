--- Word: notes evidence.
-- expect: ?
-- exit: 1
return runbook { title = "Attack", run = function(input)
  while true do note("x", { x = ("y"):rep(900000) }) end
end }
