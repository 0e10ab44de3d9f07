--- Word: step kept for later.
-- expect: done
-- exit: 0
return runbook { title = "Attack", run = function(input)
  local later
  local function keep(f) later = f end
  local p = select(2, 0, parallel)
  p("P", { a = function() keep(function() return run:elapsed() end) return 1 end })
  later()
  return nil
end }
