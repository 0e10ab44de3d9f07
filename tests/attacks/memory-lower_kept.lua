--- Memory: lower kept.
-- expect: memory runs out or stopped as
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local kept, s = {}, ("AB"):rep(4e6)
  while true do kept[#kept + 1] = s:lower() end
end }
