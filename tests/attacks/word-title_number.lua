--- Word: title number.
-- expect: takes a title
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local s = select(2, 0, step)
  s(1, function() end)
end }
