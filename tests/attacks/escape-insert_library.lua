--- Escape: insert library.
-- expect: cannot be changed
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local w, k = { table }, 1
  w[k].insert(w[k], print)
end }
