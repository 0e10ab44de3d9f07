--- Escape: run string receiver.
-- expect: with a colon or bad argument
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local w, k = { run }, 1
  local e = w[k].result
  return e("x", "y")
end }
