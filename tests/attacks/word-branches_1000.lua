--- Word: branches 1000.
-- expect: done
-- exit: 0
return runbook { title = "Attack", run = function(input)
  local t = {}
  for i = 1, 1000 do t["b" .. i] = function() end end
  parallel("P", t)
  return nil
end }
