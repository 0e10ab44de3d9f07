--- Escape: run cyclic receiver.
-- expect: with a colon
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local hidden = select(2, 0, run)
  local e, t = hidden.elapsed, {}
  t.id = t
  return e(t)
end }
