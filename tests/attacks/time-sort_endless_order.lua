--- Time: sort endless order.
-- expect: stopped as an endless loop
-- exit: 1
return runbook { title = "Attack", run = function(input)
  table.sort({ 3, 2, 1 }, function() while true do end end)
end }
