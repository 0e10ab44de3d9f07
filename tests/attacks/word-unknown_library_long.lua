--- Word: unknown library long.
-- expect: there is no
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local k = ("x"):rep(8e6)
  return string[k]
end }
