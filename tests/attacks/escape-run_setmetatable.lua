--- Escape: run setmetatable.
-- expect: table expected
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local w, k = { run }, 1
  setmetatable(w[k], {})
end }
