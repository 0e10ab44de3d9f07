--- Escape: dofile.
-- expect: dofile
-- exit: 2
return runbook { title = "Attack", run = function(input)
  return dofile
end }
