--- Time: long number.
-- expect: stopped as an endless loop
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local s = ("1"):rep(8e6)
  while true do tonumber(s) end
end }
