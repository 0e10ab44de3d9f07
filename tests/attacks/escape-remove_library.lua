--- Escape: remove library.
-- expect: cannot be changed
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local w, k = { math }, 1
  table.remove(w[k])
end }
