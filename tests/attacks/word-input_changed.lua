--- Word: input changed.
-- expect: protected metatable
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local hidden = select(2, 0, input)
  local w = { hidden }
  setmetatable(w[1], nil)
end }
