--- Word: eventually negative.
-- expect: no time such as
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local e = select(2, 0, eventually)
  return e("-1h", function() return false end)
end }
