--- Escape: string metatable.
-- expect: attempt to index a string value (key '__index')
-- exit: 1
return runbook { title = "Attack", run = function(input)
  getmetatable("").__index = {}
end }
