--- Word: unknown field long.
-- expect: no field
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local k = ("x"):rep(8e6)
  return input[k]
end }
