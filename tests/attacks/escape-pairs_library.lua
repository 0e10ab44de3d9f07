--- Escape: pairs library.
-- expect: cannot be changed
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local w, k = { string }, 1
  for k, v in pairs(w[k]) do w[k][k] = print end
end }
