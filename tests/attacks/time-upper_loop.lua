--- Time: upper loop.
-- expect: stopped as an endless loop
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local s = ("x"):rep(8e6)
  while true do s:upper() end
end }
