--- Meta: concat endless.
-- expect: stopped as an endless loop
-- exit: 1
return runbook { title = "Attack", run = function(input)
  return setmetatable({}, { __concat = function() while true do end end }) .. "x"
end }
