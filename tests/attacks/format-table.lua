--- Format: table.
-- expect: string expected
-- exit: 1
return runbook { title = "Attack", run = function(input)
  return ("%s"):format(setmetatable({}, { __tostring = function() while true do end end }))
end }
