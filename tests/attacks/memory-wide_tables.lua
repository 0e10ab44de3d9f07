--- Memory: wide tables.
-- expect: stopped
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local kept = {}
  while true do kept[#kept + 1] = { {}, {}, {}, {}, {}, {}, {}, {}, x = {}, y = {} } end
end }
