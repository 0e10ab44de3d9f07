--- Word: options odd.
-- expect: no option
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local o = { [{}] = 1 }
  step("S", o, function() end)
end }
