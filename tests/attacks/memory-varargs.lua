--- Memory: varargs.
-- expect: overflow or stopped as
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local function f(...) return f(1, 2, 3, ...) end
  return f()
end }
