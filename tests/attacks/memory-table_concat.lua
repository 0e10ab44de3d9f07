--- Memory: table concat.
-- expect: longer than 8 MiB
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local t, s = {}, ("x"):rep(1e6)
  for i = 1, 1000 do t[i] = s end
  return table.concat(t)
end }
