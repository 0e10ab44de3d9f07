--- Call: lookalike secret.
-- expect: secret
-- exit: 1
local box = require "box"
return runbook { title = "Attack", run = function(input)
  local t = { name = "a", any = { ["$secret"] = "env:HOME" } }
  box.open(t)
end }
