--- Meta: deep setmetatable.
-- expect: stopped
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local t = {}
  for i = 1, 1e9 do t = setmetatable({}, t) end
end }
