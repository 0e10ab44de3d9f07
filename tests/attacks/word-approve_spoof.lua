--- Word: approve spoof.
-- expect: {1b}[2K
-- exit: 3
return runbook { title = "Attack", run = function(input)
  approve("Harmless\27[2K\rDelete nothing")
end }
