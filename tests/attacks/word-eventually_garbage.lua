--- Word: eventually garbage.
-- expect: no time such as
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local e = select(2, 0, eventually)
  return e("soon", function() return false end)
end }
