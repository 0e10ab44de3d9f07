--- Escape: global assign.
-- expect: print belongs to drhost and cannot be as
-- exit: 2
return runbook { title = "Attack", run = function(input)
  print = nil
end }
