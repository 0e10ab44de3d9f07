--- Escape: dump.
-- expect: dump
-- exit: 2
return runbook { title = "Attack", run = function(input)
  return string.dump(function() end)
end }
