--- Source: mark.
-- expect: Invalid token
-- exit: 2
﻿return runbook { title = "Attack", run = function(input)
  return nil
end }
