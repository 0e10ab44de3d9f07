--- Escape: run string receiver.
-- expect: ?
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local w, k = { run }, 1
  local e = w[k].result
  return e("x", "y")
end }
