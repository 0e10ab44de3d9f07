--- Memory: char.
-- expect: stopped
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local kept = {}
  while true do
    kept[#kept + 1] = string.char(("x"):rep(4096):byte(1, -1))
  end
end }
