--- Number: random three.
-- expect: wrong number
-- exit: 1
return runbook { title = "Attack", run = function(input)
  return math.random(1, 2, 3)
end }
