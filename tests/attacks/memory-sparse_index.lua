--- Memory: sparse index.
-- expect: memory runs out or stopped as
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local kept = {}
  while true do
    local t = {}
    t[1048575] = 1
    kept[#kept + 1] = t
  end
end }
