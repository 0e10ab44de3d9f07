--- Escape: rawset library.
-- expect: cannot be changed
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local w, k = { string }, 1
  local r = rawset
  r(w[k], "rep", print)
end }
