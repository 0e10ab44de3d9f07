--- Error: cyclic table.
-- expect: a table
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local e = {}
  e.e = e
  error(e)
end }
