--- Escape: next library.
-- expect: cannot be changed
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local w, k = { math }, 1
  local k = next(w[k])
  rawset(w[k], k, nil)
end }
