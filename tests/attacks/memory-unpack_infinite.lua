--- Memory: unpack infinite.
-- expect: too many results
-- exit: 1
return runbook { title = "Attack", run = function(input)
  return { unpack({}, 1, math.huge) }
end }
