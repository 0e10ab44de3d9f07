--- Escape: run dot.
-- expect: with a colon
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local w, k = { run }, 1
  return w[k].elapsed()
end }
