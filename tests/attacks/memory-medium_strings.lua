--- Memory: medium strings.
-- expect: memory runs out or stopped as
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local kept = {}
  for i = 1, 1e9 do kept[i] = ("x"):rep(1000) .. i end
end }
