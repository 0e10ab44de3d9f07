--- Memory: closures.
-- expect: stopped
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local kept = {}
  while true do
    local a, b, c, d = {}, {}, {}, {}
    kept[#kept + 1] = function() return a, b, c, d end
  end
end }
