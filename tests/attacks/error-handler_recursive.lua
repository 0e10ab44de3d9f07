--- Error: handler recursive.
-- expect: overflow
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local function h() return xpcall(error, h) end
  return h()
end }
