--- Meta: arithmetic recursive.
-- expect: overflow
-- exit: 1
return runbook { title = "Attack", run = function(input)
  return setmetatable({}, { __add = function(a, b) return a + b end }) + 1
end }
