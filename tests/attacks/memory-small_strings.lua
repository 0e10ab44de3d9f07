--- Memory: small strings.
-- expect: stopped
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local kept = {}
  for i = 1, 1e9 do kept["key" .. i] = true end
end }
