--- Word: each huge.
-- expect: more than 1000 branches
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local t = {}
  for i = 1, 300000 do t[i] = "n" .. i end
  each("E", t, function() end)
end }
