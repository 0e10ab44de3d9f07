--- Escape: assign library.
-- expect: ?
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local w, k = { string }, 1
  local s = w[k]
  s.rep = nil
end }
