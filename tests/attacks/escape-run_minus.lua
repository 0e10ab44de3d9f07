--- Escape: run minus.
-- expect: attempt to perform arithmetic on a value that is no number
-- exit: 1
return runbook { title = "Attack", run = function(input)
  return -run
end }
