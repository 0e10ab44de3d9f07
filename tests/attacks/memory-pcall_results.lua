--- Memory: pcall results.
-- expect: memory runs out or stopped as
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local kept = {}
  while true do kept[#kept + 1] = { pcall(unpack, {}, 1, 4000) } end
end }
