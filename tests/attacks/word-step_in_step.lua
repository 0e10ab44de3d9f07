--- Word: step in step.
-- expect: would be a step inside
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local s
  local function f(n) return step("In", function() return f(n + 1) end) end
  return f(1)
end }
