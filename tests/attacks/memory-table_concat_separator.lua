--- Memory: table concat separator.
-- expect: longer than 8 MiB
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local t = {}
  for i = 1, 1000 do t[i] = "" end
  return table.concat(t, ("x"):rep(1e6))
end }
