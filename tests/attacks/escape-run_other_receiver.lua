--- Escape: run other receiver.
-- expect: with a colon
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local w, k = { run }, 1
  local e = w[k].elapsed
  return e({ id = "x", mode = "y" })
end }
