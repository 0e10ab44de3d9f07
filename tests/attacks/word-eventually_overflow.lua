--- Word: eventually overflow.
-- expect: no time such as
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local w, k = { eventually }, 1
  local function e(...) return w[k](...) end
  return e("99999999999999h", function() return true end)
end }
