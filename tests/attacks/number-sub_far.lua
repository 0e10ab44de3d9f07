--- Number: sub far.
-- expect: done
-- exit: 0
return runbook { title = "Attack", run = function(input)
  return { s = ("x"):sub(-1e300, 1e300) }
end }
