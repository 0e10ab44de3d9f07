--- Escape: run dot.
-- expect: with a colon
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local hidden = select(2, 0, run)
  return hidden.elapsed()
end }
