--- Word: as handler.
-- expect: done
-- exit: 0
return runbook { title = "Attack", run = function(input)
  local s = select(2, 0, step)
  xpcall(error, function() s("Handler", function() error("inside") end) end)
  return nil
end }
