--- Meta: call chain.
-- expect: attempt to call 't' (it is not a function)
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local t = setmetatable({}, {})
  for i = 1, 1000 do t = setmetatable({}, { __call = t }) end
  return t()
end }
