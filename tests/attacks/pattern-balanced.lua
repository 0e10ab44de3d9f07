--- Pattern: balanced.
-- expect: too costly or stopped as
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local s = ("("):rep(8e6)
  for i = 1, 1e9 do s:find("%b()", i) end
end }
