--- Word: elapsed endless.
-- expect: stopped as
-- exit: 1
return runbook { title = "Attack", run = function(input)
  while true do run:elapsed() end
end }
