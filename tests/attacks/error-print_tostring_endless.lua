--- Error: print tostring endless.
-- expect: stopped as an endless loop
-- exit: 1
return runbook { title = "Attack", run = function(input)
  print(setmetatable({}, { __tostring = function(t) while true do end end }))
end }
