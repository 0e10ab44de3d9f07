--- Word: input changed.
-- expect: protected metatable
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local w, k = { input }, 1
  local w = { w[k] }
  setmetatable(w[1], nil)
end }
