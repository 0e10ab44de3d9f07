--- Meta: index chain.
-- expect: too many recursions in gettable
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local t = setmetatable({}, {})
  for i = 1, 1e5 do t = setmetatable({}, { __index = t }) end
  return t.x
end }
