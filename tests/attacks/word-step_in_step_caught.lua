--- Word: step in step caught.
-- expect: done
-- exit: 0
return runbook { title = "Attack", run = function(input)
  local w, k = { step }, 1
  local function s(...) return w[k](...) end
  local function f(n) return pcall(s, "In", function() return f(n + 1) end) end
  f(1)
  return nil
end }
