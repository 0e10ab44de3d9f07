--- Pattern: gsub erring.
-- expect: no replacement
-- exit: 1
return runbook { title = "Attack", run = function(input)
  return (("x"):gsub("x", function() error("no replacement") end))
end }
