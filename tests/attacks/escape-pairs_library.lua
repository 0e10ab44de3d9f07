--- Escape: pairs library.
-- expect: cannot be changed
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local hidden = select(2, 0, string)
  for k, v in pairs(hidden) do hidden[k] = print end
end }
