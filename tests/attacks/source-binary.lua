--- Source: binary.
-- expect: Invalid token
-- exit: 2
return runbook { title = "Attack", run = function(input)
  local x = 1
end }
