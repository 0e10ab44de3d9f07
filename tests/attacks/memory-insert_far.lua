--- Memory: insert far.
-- expect: memory runs out or stopped as
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local kept = {}
  while true do
    local t = {}
    table.insert(t, 1048574, "x")
    kept[#kept + 1] = t
  end
end }
