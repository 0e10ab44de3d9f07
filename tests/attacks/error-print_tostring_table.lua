--- Error: print tostring table.
-- expect: done
-- exit: 0
return runbook { title = "Attack", run = function(input)
  print(setmetatable({}, { __tostring = function(t) return {} end }))
  return nil
end }
