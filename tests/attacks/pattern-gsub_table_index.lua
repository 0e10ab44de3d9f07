--- Pattern: gsub table index.
-- expect: longer than 8 MiB
-- exit: 1
return runbook { title = "Attack", run = function(input)
  return (("x"):gsub("x", setmetatable({}, { __index = function(t, k) return t[k .. k] end })))
end }
