--- Word: note binary.
-- expect: done
-- exit: 0
return runbook { title = "Attack", run = function(input)
  note("\27]0;owned\7\255\0")
  return nil
end }
