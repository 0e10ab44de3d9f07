--- Value: function.
-- expect: no plain data
-- exit: 1
return runbook { title = "Attack", run = function(input)
  step("S", function() return { f = print } end)
end }
