--- Escape: library metatable.
-- expect: done
-- exit: 0
return runbook { title = "Attack", run = function(input)
  local m = getmetatable(string)
  return m.__index
end }
