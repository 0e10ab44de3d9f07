--- Meta: length endless.
-- expect: stopped as an endless loop
-- exit: 1
return runbook { title = "Attack", run = function(input)
  return #setmetatable({}, { __len = function() while true do end end })
end }
