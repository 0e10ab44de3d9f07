runbook { title = "x", run = function() end }
runbook { title = "y", run = function() end } --! a file declares one runbook or drill, and this is the second
local _ = 3 --! the one of line 1 is not returned
