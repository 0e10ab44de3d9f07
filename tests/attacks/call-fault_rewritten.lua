--- Call: fault rewritten.
-- expect: xxxxxxxx
-- exit: 1
local box = require "box"
return runbook { title = "Attack", run = function(input)
  local ok, f = pcall(function() return box.open { name = "missing" } end)
  f.kind, f.message, f.line = {}, ("x"):rep(8e6), print
  error(f)
end }
