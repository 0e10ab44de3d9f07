--- Error: print tostring huge.
-- expect: done
-- exit: 0
return runbook { title = "Attack", run = function(input)
  local big = setmetatable({}, { __tostring = function(t) return ("x"):rep(8e6) end })
  print(big, big, big, big)
end }
