--- Word: eventually zero.
-- expect: ?
-- exit: 1
return runbook { title = "Attack", run = function(input)
  return { ok = eventually("0s", function() return false end) }
end }
