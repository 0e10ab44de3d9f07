--- Time: format loop.
-- expect: stopped as an endless loop
-- exit: 1
return runbook { title = "Attack", run = function(input)
  while true do ("%99.99f"):format(1e308) end
end }
