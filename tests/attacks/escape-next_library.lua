--- Escape: next library.
-- expect: cannot be changed
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local hidden = select(2, 0, math)
  local k = next(hidden)
  rawset(hidden, k, nil)
end }
