--- Time: sort mixed.
-- expect: compare
-- exit: 1
return runbook { title = "Attack", run = function(input)
  table.sort({ 1, "a", {}, true })
end }
