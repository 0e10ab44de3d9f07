--- Word: branch number.
-- expect: parallel takes
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local w, k = { parallel }, 1
  local function p(...) return w[k](...) end
  p("P", { function() end })
end }
