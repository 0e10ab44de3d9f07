--- Call: huge text.
-- expect: KiB of text
-- exit: 1
local box = require "box"
return runbook { title = "Attack", run = function(input)
  box.open { name = ("x"):rep(8e6) }
end }
