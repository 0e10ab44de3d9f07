--- Meta: index recursive.
-- expect: overflow
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local t = setmetatable({}, { __index = function(t, k) return t[k] end })
  return t.x
end }
