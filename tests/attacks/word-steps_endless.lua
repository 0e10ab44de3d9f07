--- Word: steps endless.
-- expect: stopped as an endless loop
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local i, s = 0, select(2, 0, step)
  while true do i = i + 1 s("S" .. i, function() end) end
end }
