--- Error: table.
-- expect: a table
-- exit: 1
return runbook { title = "Attack", run = function(input)
  error({})
end }
