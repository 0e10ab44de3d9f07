--- Escape: run metatable.
-- expect: done
-- exit: 0
return runbook { title = "Attack", run = function(input)
  return getmetatable(run).__index
end }
