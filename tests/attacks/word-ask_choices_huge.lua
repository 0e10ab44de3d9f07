--- Word: ask choices huge.
-- expect: at most 100
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local t = {}
  for i = 1, 1e5 do t[i] = "c" .. i end
  ask("Which?", { choices = t })
end }
