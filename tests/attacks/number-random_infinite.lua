--- Number: random infinite.
-- expect: done
-- exit: 0
return runbook { title = "Attack", run = function(input)
  local n = math.random(math.huge)
  return { n = tostring(n) }
end }
