--- Time: remove front.
-- expect: stopped as an endless loop
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local t = {}
  for i = 1, 500000 do t[i] = i end
  while true do table.remove(t, 1) t[#t + 1] = 1 end
end }
