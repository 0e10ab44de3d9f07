--- Time: recursion.
-- expect: stack overflow
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local function f() return 1 + f() end
  return f()
end }
