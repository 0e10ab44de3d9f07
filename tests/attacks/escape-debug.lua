--- Escape: debug.
-- expect: debug
-- exit: 2
return runbook { title = "Attack", run = function(input)
  return debug
end }
