--- Escape: run unknown.
-- expect: run has no field
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local k = "s"
  return run[k].session
end }
