--- Escape: library metatable.
-- expect: index
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local m = getmetatable(string)
  return m.__index
end }
