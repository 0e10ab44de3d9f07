--- Word: hog and worker.
-- expect: stopped as an endless loop
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local _, failed = parallel("P", {
    hog = function() while true do end end,
    worker = function() local n = 0 for i = 1, 1000 do n = n + run:elapsed() * 0 + 1 end return n end,
  }, { keep_going = true })
  error(failed.hog.message)
end }
