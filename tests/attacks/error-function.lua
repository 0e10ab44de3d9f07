--- Error: function.
-- expect: the script raised a function
-- exit: 1
return runbook { title = "Attack", run = function(input)
  error(print)
end }
