--- Error: long text.
-- expect: more bytes
-- exit: 1
return runbook { title = "Attack", run = function(input)
  error(("x"):rep(8e6))
end }
