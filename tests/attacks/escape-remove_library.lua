--- Escape: remove library.
-- expect: cannot be changed
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local hidden = select(2, 0, math)
  table.remove(hidden)
end }
