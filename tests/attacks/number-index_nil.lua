--- Number: index nil.
-- expect: table index is nil
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local t, k = {}, nil
  t[k] = 1
end }
