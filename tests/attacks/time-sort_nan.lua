--- Time: sort nan.
-- expect: done
-- exit: 0
return runbook { title = "Attack", run = function(input)
  local t = { 0/0, 1, 0/0, -1, 0/0 }
  table.sort(t)
  return { n = #t }
end }
