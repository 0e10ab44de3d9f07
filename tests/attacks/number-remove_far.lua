--- Number: remove far.
-- expect: done
-- exit: 0
return runbook { title = "Attack", run = function(input)
  return table.remove({}, 1e18)
end }
