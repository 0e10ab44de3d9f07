--- Escape: global assign.
-- expect: belongs to drhost and cannot be assigned
-- exit: 2
return runbook { title = "Attack", run = function(input)
  print = nil
end }
