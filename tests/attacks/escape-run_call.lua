--- Escape: run call.
-- expect: attempt to call 'r' (it is not a function)
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local r = run
  return r()
end }
