--- Error: pcall storm.
-- expect: stopped as an endless loop
-- exit: 1
return runbook { title = "Attack", run = function(input)
  while true do pcall(error, "x") end
end }
