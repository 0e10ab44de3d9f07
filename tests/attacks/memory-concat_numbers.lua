--- Memory: concat numbers.
-- expect: longer than 8 MiB
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local s = ""
  while true do s = s .. 1e100 .. s end
end }
