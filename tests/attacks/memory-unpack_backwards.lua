--- Memory: unpack backwards.
-- expect: too many results
-- exit: 1
return runbook { title = "Attack", run = function(input)
  return { unpack({}, -math.huge, math.huge) }
end }
