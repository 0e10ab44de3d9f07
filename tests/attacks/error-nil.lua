--- Error: nil.
-- expect: the script raised a nil
-- exit: 1
return runbook { title = "Attack", run = function(input)
  error()
end }
