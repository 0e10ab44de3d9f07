--- Call: deep.
-- expect: nested deeper
-- exit: 1
local box = require "box"
return runbook { title = "Attack", run = function(input)
  local t = {}
  for i = 1, 1000 do t = { t } end
  box.open { name = "a", any = t }
end }
