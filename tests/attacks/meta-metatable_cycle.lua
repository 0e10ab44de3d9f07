--- Meta: metatable cycle.
-- expect: too many recursions in gettable
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local m = {}
  setmetatable(m, m)
  m.__index = m
  return m.x
end }
