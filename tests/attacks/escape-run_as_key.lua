--- Escape: run as key.
-- expect: what this function returns cannot be kept: the value has a key that is
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local t = {}
  t[run] = 1
  return t
end }
