--- Source: comment.
-- expect: the file ends too early: an `end`, a `}` or a `)` is missing
-- exit: 2
return runbook { title = "Attack", run = function(input)
  --[[ never closed
end }
