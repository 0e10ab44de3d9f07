--- Escape: secret fields.
-- expect: ?
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local s = secret("env:HOME")
  return s.name
end }
