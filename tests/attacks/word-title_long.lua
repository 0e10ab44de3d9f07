--- Word: title long.
-- expect: too long
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local w, k = { step }, 1
  local function s(...) return w[k](...) end
  s(("x"):rep(1e6), function() end)
end }
