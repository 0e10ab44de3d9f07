--- Memory: error objects.
-- expect: memory runs out or stopped as
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local kept = {}
  while true do
    local ok, e = pcall(error, { text = ("x"):rep(1e5) })
    kept[#kept + 1] = e
  end
end }
