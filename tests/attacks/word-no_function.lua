--- Word: no function.
-- expect: takes a function
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local w, k = { step }, 1
  local function s(...) return w[k](...) end
  s("S", 5)
end }
