--- Escape: run pairs.
-- expect: bad argument #1 to 'pairs' (table expected, got userdata)
-- exit: 1
return runbook { title = "Attack", run = function(input)
  for k in pairs(run) do print(k) end
end }
