--- Time: tail calls.
-- expect: stopped as an endless loop
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local function f() return f() end
  return f()
end }
