--- Error: handler recursive.
-- expect: done
-- exit: 0
return runbook { title = "Attack", run = function(input)
  local function h() return xpcall(error, h) end
  return h()
end }
