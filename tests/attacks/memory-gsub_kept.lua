--- Memory: gsub kept.
-- expect: memory runs out or stopped as
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local kept, s = {}, ("x"):rep(2e5)
  while true do kept[#kept + 1] = s:gsub("x", "yyyyyyyyyy") end
end }
