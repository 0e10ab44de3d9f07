--- Number: ldexp.
-- expect: done
-- exit: 0
return runbook { title = "Attack", run = function(input)
  return { t = tostring(math.ldexp(1, 1e308)) .. tostring(math.frexp(0/0)) }
end }
