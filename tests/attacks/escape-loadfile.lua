--- Escape: loadfile.
-- expect: loadfile
-- exit: 2
return runbook { title = "Attack", run = function(input)
  return loadfile
end }
