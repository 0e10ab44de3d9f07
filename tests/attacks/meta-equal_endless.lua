--- Meta: equal endless.
-- expect: stopped as an endless loop
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local m = { __eq = function() while true do end end }
  return setmetatable({}, m) == setmetatable({}, m)
end }
