--- Time: long keys.
-- expect: stopped
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local t, s = {}, ("x"):rep(8e6 - 9)
  local n = 0
  while true do n = n + 1 t[s .. (n % 10)] = n end
end }
