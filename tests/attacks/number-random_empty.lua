--- Number: random empty.
-- expect: interval is empty
-- exit: 1
return runbook { title = "Attack", run = function(input)
  return math.random(0)
end }
