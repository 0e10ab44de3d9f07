--- Memory: rawset index.
-- expect: memory runs out or stopped as
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local kept = {}
  while true do kept[#kept + 1] = rawset({}, 1048575, 1) end
end }
