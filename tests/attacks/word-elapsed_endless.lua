--- Word: elapsed endless.
-- expect: the script used 400ms of processor time between two calls; it is stopp
-- exit: 1
return runbook { title = "Attack", run = function(input)
  while true do run:elapsed() end
end }
