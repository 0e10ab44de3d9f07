--- Call: two tables.
-- expect: takes exactly one table
-- exit: 1
local box = require "box"
return runbook { title = "Attack", run = function(input)
  local f = select(2, 0, box.open)
  f({ name = "a" }, { name = "b" })
end }
