--- Time: arithmetic on text.
-- expect: stopped as an endless loop
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local s = ("1"):rep(8e6)
  local n = 0
  while true do n = s + 1 end
end }
