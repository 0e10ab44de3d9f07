--- Memory: format joined.
-- expect: longer than 8 MiB
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local s = ("x"):rep(5e6)
  return ("%s%s"):format(s, s)
end }
