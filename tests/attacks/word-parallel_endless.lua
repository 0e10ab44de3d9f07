--- Word: parallel endless.
-- expect: stopped as an endless loop
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local i, p = 0, select(2, 0, parallel)
  while true do i = i + 1 p("P" .. i, { a = function() end }) end
end }
