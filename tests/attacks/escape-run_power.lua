--- Escape: run power.
-- expect: attempt to perform arithmetic on a userdata value
-- exit: 1
return runbook { title = "Attack", run = function(input)
  return run ^ run
end }
