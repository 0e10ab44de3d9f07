--- Pattern: anchored loop.
-- expect: stopped as an endless loop
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local s = ("x"):rep(1000)
  while true do s:gsub("^x", "x") end
end }
