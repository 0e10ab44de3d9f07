--- Number: index nan.
-- expect: table index is NaN
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local t = {}
  t[0/0] = 1
end }
