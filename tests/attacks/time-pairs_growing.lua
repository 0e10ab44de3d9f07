--- Time: pairs growing.
-- expect: stopped
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local t = { a = 1 }
  local n = 0
  for k in pairs(t) do n = n + 1 t["x" .. n] = n end
end }
