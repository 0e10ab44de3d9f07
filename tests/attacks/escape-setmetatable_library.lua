--- Escape: setmetatable library.
-- expect: protected metatable
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local hidden = select(2, 0, string)
  setmetatable(hidden, {})
end }
