--- Word: result endless.
-- expect: stopped as an endless loop
-- exit: 1
return runbook { title = "Attack", run = function(input)
  while true do local r = select(2, 0, run) pcall(function() return r:result("x") end) end
end }
