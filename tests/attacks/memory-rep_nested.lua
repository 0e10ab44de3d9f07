--- Memory: rep nested.
-- expect: longer than 8 MiB
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local s = "x"
  for i = 1, 20 do s = s:rep(10) end
end }
