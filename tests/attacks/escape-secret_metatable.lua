--- Escape: secret metatable.
-- expect: done
-- exit: 0
return runbook { title = "Attack", run = function(input)
  local s = secret("env:HOME")
  return getmetatable(s).__tostring
end }
