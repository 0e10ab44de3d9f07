--- Word: in sort.
-- expect: unique
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local s = select(2, 0, step)
  table.sort({ 3, 2, 1 }, function(a, b) s("Same", function() end) return a < b end)
end }
