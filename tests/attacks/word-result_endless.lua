--- Word: result endless.
-- expect: stopped as an endless loop
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local w, k = { run }, 1
  while true do local t = "x" pcall(function() return w[k]:result(t .. t) end) end
end }
