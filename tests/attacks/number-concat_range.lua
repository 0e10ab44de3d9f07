--- Number: concat range.
-- expect: invalid value
-- exit: 1
return runbook { title = "Attack", run = function(input)
  return table.concat({}, "", 1, 1e18)
end }
