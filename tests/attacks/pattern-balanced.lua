--- Pattern: balanced.
-- expect: the pattern is too costly for this string
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local s = ("("):rep(8e6)
  for i = 1, 1e9 do s:find("%b()", i) end
end }
