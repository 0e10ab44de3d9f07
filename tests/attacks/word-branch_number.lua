--- Word: branch number.
-- expect: parallel takes
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local p = select(2, 0, parallel)
  p("P", { function() end })
end }
