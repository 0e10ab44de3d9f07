--- Escape: assign library.
-- expect: string cannot be changed
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local hidden = select(2, 0, string)
  local s = hidden
  s.rep = nil
end }
