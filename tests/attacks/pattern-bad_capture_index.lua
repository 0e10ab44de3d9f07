--- Pattern: bad capture index.
-- expect: invalid capture
-- exit: 1
return runbook { title = "Attack", run = function(input)
  return (("x"):gsub("x", "%9"))
end }
