--- Escape: globals by environment.
-- expect: undeclared
-- exit: 2
return runbook { title = "Attack", run = function(input)
  local function f() return undeclared end
  return f()
end }
