--- Meta: newindex recursive.
-- expect: overflow
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local t = setmetatable({}, { __newindex = function(t, k, v) t[k] = v end })
  t.x = 1
end }
