--- Word: each odd items.
-- expect: done
-- exit: 0
return runbook { title = "Attack", run = function(input)
  each("E", { true, 1.5, print }, function() end)
  return nil
end }
