--- Escape: run setmetatable.
-- expect: table expected
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local hidden = select(2, 0, run)
  setmetatable(hidden, {})
end }
