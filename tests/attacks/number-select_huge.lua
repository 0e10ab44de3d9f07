--- Number: select huge.
-- expect: done
-- exit: 0
return runbook { title = "Attack", run = function(input)
  return select(1e300, 1)
end }
