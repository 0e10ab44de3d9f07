--- Memory: concat doubling.
-- expect: longer than 8 MiB
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local s = "x"
  for i = 1, 60 do s = s .. s end
end }
