--- Word: retry zero backoff.
-- expect: x
-- exit: 1
return runbook { title = "Attack", run = function(input)
  return retry({ attempts = 100, backoff = "0s" }, function() error("x") end)
end }
