--- Error: in handler.
-- expect: error in error handling
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local ok, e = xpcall(error, function() error("again") end)
  error(e, 0)
end }
