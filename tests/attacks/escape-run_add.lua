--- Escape: run add.
-- expect: attempt to perform arithmetic on a userdata value
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local r = run
  return r + 1
end }
