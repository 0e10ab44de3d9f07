--- Escape: secret fields.
-- expect: has no field
-- exit: 2
return runbook { title = "Attack", run = function(input)
  local s = secret("env:HOME")
  return s.name
end }
