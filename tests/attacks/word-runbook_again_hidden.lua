--- Word: runbook again hidden.
-- expect: this is the second
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local w, k = { runbook }, 1
  local function r(...) return w[k](...) end
  r { title = "B", run = function() end }
end }
