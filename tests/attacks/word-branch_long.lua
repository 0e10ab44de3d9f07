--- Word: branch long.
-- expect: parallel: a title or a name of 1000000 bytes is too long; at most 200
-- exit: 1
return runbook { title = "Attack", run = function(input)
  parallel("P", { [("x"):rep(1e6)] = function() end })
end }
