--- Meta: less erring.
-- expect: no order
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local m = { __lt = function() error("no order") end }
  return setmetatable({}, m) < setmetatable({}, m)
end }
