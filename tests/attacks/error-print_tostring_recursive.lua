--- Error: print tostring recursive.
-- expect: overflow
-- exit: 1
return runbook { title = "Attack", run = function(input)
  print(setmetatable({}, { __tostring = function(t) return tostring(t) end }))
end }
