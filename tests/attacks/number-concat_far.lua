--- Number: concat far.
-- expect: invalid value
-- exit: 1
return runbook { title = "Attack", run = function(input)
  return table.concat({}, "", -1e18, -1e18 + 10)
end }
