--- Word: retry huge.
-- expect: retry: option attempts must be a whole number from 1 to 100
-- exit: 1
return runbook { title = "Attack", run = function(input)
  return retry({ attempts = 1e6, backoff = "0s" }, function() error("x") end)
end }
