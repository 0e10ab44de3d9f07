--- Escape: setmetatable library.
-- expect: protected metatable
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local w, k = { string }, 1
  setmetatable(w[k], {})
end }
