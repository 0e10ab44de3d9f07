--- Memory: format kept.
-- expect: memory runs out or stopped as
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local kept, s = {}, ("AB"):rep(3e6)
  while true do kept[#kept + 1] = ("%s%d"):format(s, #kept) end
end }
