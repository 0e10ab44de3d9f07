--- Escape: run tostring.
-- expect: done
-- exit: 0
return runbook { title = "Attack", run = function(input)
  return { text = tostring(run) }
end }
