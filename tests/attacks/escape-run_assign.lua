--- Escape: run assign.
-- expect: run cannot be changed or index
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local w, k = { run }, 1
  w[k].id = "other"
end }
