--- Number: insert far.
-- expect: out of bounds
-- exit: 1
return runbook { title = "Attack", run = function(input)
  table.insert({}, -1e18, 1)
end }
