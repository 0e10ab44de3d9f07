--- Word: each odd items.
-- expect: holds a function
-- exit: 1
return runbook { title = "Attack", run = function(input)
  each("E", { true, 1.5, print }, function() end)
  return nil
end }
