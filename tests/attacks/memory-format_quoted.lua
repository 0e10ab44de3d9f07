--- Memory: format quoted.
-- expect: longer than 8 MiB
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local s = ("\0"):rep(8e6)
  return ("%q"):format(s)
end }
