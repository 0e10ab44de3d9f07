--- Time: in xpcall handler.
-- expect: stopped as an endless loop
-- exit: 1
return runbook { title = "Attack", run = function(input)
  xpcall(error, function() while true do end end)
end }
