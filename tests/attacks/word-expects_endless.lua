--- Word: expects endless.
-- expect: stopped as an endless loop
-- exit: 1
return runbook { title = "Attack", run = function(input)
  while true do expect("x", true) end
end }
