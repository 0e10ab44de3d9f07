--- Escape: assign library.
-- expect: s cannot be changed
-- exit: 2
return runbook { title = "Attack", run = function(input)
  local w, k = { string }, 1
  local s = w[k]
  s.rep = nil
end }
