--- Word: in gsub.
-- expect: unique
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local s = select(2, 0, step)
  return (("xx"):gsub("x", function() s("Same", function() end) end))
end }
