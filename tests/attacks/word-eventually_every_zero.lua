--- Word: eventually every zero.
-- expect: done
-- exit: 0
return runbook { title = "Attack", run = function(input)
  return { ok = eventually("300ms", { every = "0s" }, function() return false end) }
end }
