--- Memory: rep.
-- expect: longer than 8 MiB
-- exit: 1
return runbook { title = "Attack", run = function(input)
  return string.rep("x", 1e10)
end }
