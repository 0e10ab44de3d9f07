--- Number: select negative.
-- expect: out of range
-- exit: 1
return runbook { title = "Attack", run = function(input)
  return select(-5, 1)
end }
