--- Time: sort erring order.
-- expect: no order
-- exit: 1
return runbook { title = "Attack", run = function(input)
  table.sort({ 3, 2, 1 }, function() error("no order") end)
end }
