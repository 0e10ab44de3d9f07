--- Word: step in step.
-- expect: "00:00:00.1 Attack  run · production · run 20261125-2256-word-step-in-
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local s
  local function f(n) return step("In", function() return f(n + 1) end) end
  return f(1)
end }
