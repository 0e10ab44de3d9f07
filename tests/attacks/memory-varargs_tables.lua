--- Memory: varargs tables.
-- expect: stopped
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local kept = {}
  local function f(...) kept[#kept + 1] = { ... } return f("x", ...) end
  return f()
end }
