--- Value: run returns huge.
-- expect: KiB of text
-- exit: 1
return runbook { title = "Attack", run = function(input)
  return ("x"):rep(8e6)
end }
