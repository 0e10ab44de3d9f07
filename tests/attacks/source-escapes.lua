--- Source: escapes.
-- expect: done
-- exit: 0
return runbook { title = "Attack", run = function(input)
  local s = "\999"
end }
