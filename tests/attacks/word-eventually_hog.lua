--- Word: eventually hog.
-- expect: stopped as an endless loop
-- exit: 1
return runbook { title = "Attack", run = function(input)
  return { ok = eventually("1h", function() while true do end return true end) }
end }
