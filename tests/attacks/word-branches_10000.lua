--- Word: branches 10000.
-- expect: more than 1000 branches
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local t = {}
  for i = 1, 10000 do t["b" .. i] = function() end end
  parallel("P", t)
end }
