--- Escape: assign library.
-- expect: s cannot be changed
-- exit: 2
return runbook { title = "Attack", run = function(input)
  local hidden = select(2, 0, string)
  local s = hidden
  s.rep = nil
end }
