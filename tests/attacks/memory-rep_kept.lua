--- Memory: rep kept.
-- expect: memory runs out or stopped as
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local kept = {}
  while true do kept[#kept + 1] = ("x"):rep(8e6) end
end }
