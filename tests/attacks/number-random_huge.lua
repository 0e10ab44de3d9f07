--- Number: random huge.
-- expect: done
-- exit: 0
return runbook { title = "Attack", run = function(input)
  local n = math.random(2^53) + math.random(-2^53, 2^53)
  return { n = n * 0 }
end }
