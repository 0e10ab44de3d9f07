--- Source: calls at load.
-- expect: the title of a step must be literal: a resumed run finds its steps by
-- exit: 2
local w = { step }
local function s(...) return w[1](...) end
s("S", function() end)
return runbook { title = "Attack", run = function() end }
