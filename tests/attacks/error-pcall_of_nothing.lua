--- Error: pcall of nothing.
-- expect: value expected
-- exit: 1
return runbook { title = "Attack", run = function(input)
  pcall()
end }
