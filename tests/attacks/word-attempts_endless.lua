--- Word: attempts endless.
-- expect: stopped as an endless loop
-- exit: 1
return runbook { title = "Attack", run = function(input)
  step("S", { attempts = 100 }, function() while true do end end)
end }
