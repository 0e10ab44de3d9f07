--- Word: title binary.
-- expect: UTF-8
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local s = select(2, 0, step)
  s("\255", function() end)
end }
