--- Meta: unary recursive.
-- expect: overflow
-- exit: 1
return runbook { title = "Attack", run = function(input)
  return -setmetatable({}, { __unm = function(a) return -a end })
end }
