--- Escape: run length.
-- expect: attempt to get the length of a value that has none
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local r = run
  return #r
end }
