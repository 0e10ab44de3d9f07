--- Escape: global assign in function.
-- expect: is not declared
-- exit: 2
return runbook { title = "Attack", run = function(input)
  local function f() total = 1 end
  f()
end }
