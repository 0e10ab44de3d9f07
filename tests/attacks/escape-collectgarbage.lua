--- Escape: collectgarbage.
-- expect: collectgarbage
-- exit: 2
return runbook { title = "Attack", run = function(input)
  return collectgarbage
end }
