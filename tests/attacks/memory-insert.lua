--- Memory: insert.
-- expect: stopped
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local t = {}
  while true do table.insert(t, ("x"):rep(100) .. #t) end
end }
