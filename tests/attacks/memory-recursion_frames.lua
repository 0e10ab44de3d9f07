--- Memory: recursion frames.
-- expect: stack overflow
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local function f(n) local t = {} for i = 1, 100 do t[i] = {} end return f(n + 1) + #t end
  return f(1)
end }
