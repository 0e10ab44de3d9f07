--- Word: remaining endless.
-- expect: stopped
-- exit: 1
return runbook { title = "Attack", run = function(input)
  while true do run:remaining() end
end }
