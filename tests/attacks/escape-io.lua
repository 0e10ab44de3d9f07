--- Escape: io.
-- expect: io
-- exit: 2
return runbook { title = "Attack", run = function(input)
  return io
end }
