--- Escape: secret tostring.
-- expect: done
-- exit: 0
return runbook { title = "Attack", run = function(input)
  local s = secret("env:HOME")
  return { text = tostring(s) .. #tostring(s) }
end }
