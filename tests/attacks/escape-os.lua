--- Escape: os.
-- expect: os
-- exit: 2
return runbook { title = "Attack", run = function(input)
  return os
end }
