--- Memory: huge index.
-- expect: done
-- exit: 0
return runbook { title = "Attack", run = function(input)
  local t = {}
  t[67108863] = 1
  t[2^53] = 2
  t[-2^53] = 3
  t[0.5] = 4
  return { n = #t }
end }
