--- Word: retry hog.
-- expect: stopped as an endless loop
-- exit: 1
return runbook { title = "Attack", run = function(input)
  return retry({ attempts = 5, backoff = "0s" }, function() while true do end end)
end }
