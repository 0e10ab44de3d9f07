--- Pattern: gsub bad value.
-- expect: invalid replacement
-- exit: 1
return runbook { title = "Attack", run = function(input)
  return (("x"):gsub("x", function() return {} end))
end }
