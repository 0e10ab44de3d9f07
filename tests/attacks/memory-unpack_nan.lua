--- Memory: unpack nan.
-- expect: done
-- exit: 0
return runbook { title = "Attack", run = function(input)
  return { unpack({}, 0/0, 0/0) }
end }
