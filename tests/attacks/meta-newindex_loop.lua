--- Meta: newindex loop.
-- expect: too many recursions in settable
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local a, b = {}, {}
  setmetatable(a, { __newindex = b })
  setmetatable(b, { __newindex = a })
  a.x = 1
end }
