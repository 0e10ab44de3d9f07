--- Escape: run compare.
-- expect: attempt to compare userdata with userdata
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local r = run
  return r < r
end }
