--- Escape: load.
-- expect: load
-- exit: 2
return runbook { title = "Attack", run = function(input)
  return load
end }
