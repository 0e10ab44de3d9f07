--- Word: secret endless.
-- expect: stopped
-- exit: 1
return runbook { title = "Attack", run = function(input)
  while true do secret("env:HOME") end
end }
