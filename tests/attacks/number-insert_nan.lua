--- Number: insert nan.
-- expect: out of bounds
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local t = {}
  table.insert(t, 0/0, 1)
end }
