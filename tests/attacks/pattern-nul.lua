--- Pattern: nul.
-- expect: done
-- exit: 0
return runbook { title = "Attack", run = function(input)
  return (("\0a\0"):rep(1e6):find("%z*b"))
end }
