--- Escape: global assign in function.
-- expect: global
-- exit: 2
return runbook { title = "Attack", run = function(input)
  local function f() total = 1 end
  f()
end }
