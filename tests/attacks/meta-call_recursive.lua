--- Meta: call recursive.
-- expect: overflow
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local t = setmetatable({}, { __call = function(t) return t() + 1 end })
  return t()
end }
