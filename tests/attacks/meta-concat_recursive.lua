--- Meta: concat recursive.
-- expect: overflow
-- exit: 1
return runbook { title = "Attack", run = function(input)
  return setmetatable({}, { __concat = function(a, b) return a .. b end }) .. "x"
end }
