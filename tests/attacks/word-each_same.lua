--- Word: each same.
-- expect: two items are called
-- exit: 1
return runbook { title = "Attack", run = function(input)
  each("E", { "a", "a" }, function() end)
end }
