--- Number: find far.
-- expect: done
-- exit: 0
return runbook { title = "Attack", run = function(input)
  return { n = ("x"):find("x", 1e300), m = ("x"):find("x", -1e300) }
end }
