--- Word: title empty.
-- expect: takes a title
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local s = select(2, 0, step)
  s("", function() end)
end }
