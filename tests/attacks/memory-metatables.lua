--- Memory: metatables.
-- expect: stopped
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local t = {}
  while true do t = setmetatable({}, { __index = t }) end
end }
