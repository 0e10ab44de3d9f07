--- Meta: call itself.
-- expect: attempt to call 't' (it is not a function)
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local m = {}
  local t = setmetatable({}, m)
  m.__call = t
  return t()
end }
