--- Value: branches return much.
-- expect: return more than
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local t = {}
  for i = 1, 500 do t["b" .. i] = function() return ("x"):rep(200000) end end
  parallel("P", t)
end }
