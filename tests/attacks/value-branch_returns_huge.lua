--- Value: branch returns huge.
-- expect: KiB of text
-- exit: 1
return runbook { title = "Attack", run = function(input)
  parallel("P", { a = function() return ("x"):rep(8e6) end })
end }
