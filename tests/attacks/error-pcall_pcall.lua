--- Error: pcall pcall.
-- expect: done
-- exit: 0
return runbook { title = "Attack", run = function(input)
  return pcall(pcall, pcall, pcall, error)
end }
