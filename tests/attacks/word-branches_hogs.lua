--- Word: branches hogs.
-- expect: stopped as an endless loop
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local t = {}
  for i = 1, 300 do t["b" .. i] = function() while true do end end end
  local _, failed = parallel("P", t, { keep_going = true })
  error(failed.b1.message)
end }
