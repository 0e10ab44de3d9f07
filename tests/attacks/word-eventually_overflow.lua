--- Word: eventually overflow.
-- expect: no time such as
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local e = select(2, 0, eventually)
  return e("99999999999999h", function() return true end)
end }
