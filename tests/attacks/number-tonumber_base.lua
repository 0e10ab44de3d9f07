--- Number: tonumber base.
-- expect: base out of range
-- exit: 1
return runbook { title = "Attack", run = function(input)
  return tonumber("1", 1e9)
end }
