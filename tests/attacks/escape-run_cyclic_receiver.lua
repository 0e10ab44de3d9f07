--- Escape: run cyclic receiver.
-- expect: with a colon
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local w, k = { run }, 1
  local e, t = w[k].elapsed, {}
  t.id = t
  return e(t)
end }
