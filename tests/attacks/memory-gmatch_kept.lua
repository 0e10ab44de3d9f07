--- Memory: gmatch kept.
-- expect: stopped
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local kept = {}
  for w in ("x"):rep(8e6):gmatch("x-") do kept[#kept + 1] = { w } end
end }
