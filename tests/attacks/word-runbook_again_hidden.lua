--- Word: runbook again hidden.
-- expect: this is the second
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local r = select(2, 0, runbook)
  r { title = "B", run = function() end }
end }
