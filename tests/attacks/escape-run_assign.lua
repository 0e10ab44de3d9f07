--- Escape: run assign.
-- expect: run cannot be changed or index
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local hidden = select(2, 0, run)
  hidden.id = "other"
end }
