--- Escape: run string receiver.
-- expect: with a colon or bad argument
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local hidden = select(2, 0, run)
  local e = hidden.result
  return e("x", "y")
end }
