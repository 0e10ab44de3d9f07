--- Word: step in step caught.
-- expect: done
-- exit: 0
return runbook { title = "Attack", run = function(input)
  local s = select(2, 0, step)
  local function f(n) return pcall(s, "In", function() return f(n + 1) end) end
  f(1)
  return nil
end }
