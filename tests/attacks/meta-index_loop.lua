--- Meta: index loop.
-- expect: too many recursions in gettable
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local a, b = {}, {}
  setmetatable(a, { __index = b })
  setmetatable(b, { __index = a })
  return a.x
end }
