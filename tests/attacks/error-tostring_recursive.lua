--- Error: tostring recursive.
-- expect: the script raised a table
-- exit: 1
return runbook { title = "Attack", run = function(input)
  error(setmetatable({}, { __tostring = function(t) return tostring(t) end }))
end }
