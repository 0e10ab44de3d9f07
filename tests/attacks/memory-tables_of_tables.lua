--- Memory: tables of tables.
-- expect: stopped
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local t = {}
  while true do t = { t, { t }, {} } end
end }
