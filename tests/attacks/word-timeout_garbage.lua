--- Word: timeout garbage.
-- expect: must be a time
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local o = { timeout = "soon" }
  step("S", o, function() end)
end }
