--- Memory: table concat kept.
-- expect: memory runs out or stopped as
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local kept, part = {}, {}
  for i = 1, 7 do part[i] = ("x"):rep(1e6) end
  while true do kept[#kept + 1] = table.concat(part) end
end }
