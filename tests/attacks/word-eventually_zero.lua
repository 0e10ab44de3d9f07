--- Word: eventually zero.
-- expect: done
-- exit: 0
return runbook { title = "Attack", run = function(input)
  return { ok = eventually("0s", function() return false end) }
end }
