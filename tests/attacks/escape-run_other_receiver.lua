--- Escape: run other receiver.
-- expect: with a colon
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local hidden = select(2, 0, run)
  local e = hidden.elapsed
  return e({ id = "x", mode = "y" })
end }
