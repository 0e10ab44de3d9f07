--- Meta: less equal recursive.
-- expect: overflow
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local m = {}
  m.__le = function(a, b) return a <= b end
  return setmetatable({}, m) <= setmetatable({}, m)
end }
