--- Memory: concat kept.
-- expect: memory runs out or stopped as
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local kept, s = {}, ("x"):rep(1e5)
  while true do kept[#kept + 1] = s .. #kept end
end }
