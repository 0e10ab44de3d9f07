--- Word: in tostring.
-- expect: done
-- exit: 0
return runbook { title = "Attack", run = function(input)
  local n = select(2, 0, note)
  print(setmetatable({}, { __tostring = function() n("inside") return "x" end }))
  return nil
end }
