--- Escape: string metatable set.
-- expect: table expected
-- exit: 1
return runbook { title = "Attack", run = function(input)
  setmetatable("", {})
end }
