--- Time: mutual tail calls.
-- expect: stopped as an endless loop
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local g
  local function f() return g() end
  g = function() return f() end
  return f()
end }
