--- Number: tonumber nan base.
-- expect: base out of range
-- exit: 1
return runbook { title = "Attack", run = function(input)
  return tonumber("1", 0/0)
end }
