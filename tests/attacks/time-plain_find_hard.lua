--- Time: plain find hard.
-- expect: stopped as an endless loop
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local s = ("a"):rep(4e6)
  local p = ("a"):rep(2e6) .. "b" .. ("a"):rep(1000)
  while true do s:find(p, 1, true) end
end }
