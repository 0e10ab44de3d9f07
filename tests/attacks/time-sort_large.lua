--- Time: sort large.
-- expect: stopped as an endless loop
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local t = {}
  for i = 1, 900000 do t[i] = (i * 7919) % 1000003 end
  while true do table.sort(t) end
end }
