--- Word: in metamethod.
-- expect: unique
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local s = select(2, 0, step)
  local t = setmetatable({}, { __index = function() return s("In", function() return 1 end) end })
  return t.x + t.x
end }
