--- Word: approve spoof.
-- expect: Harmlessu{1b}[2Ku{d}Delete nothing needs
-- exit: 3
return runbook { title = "Attack", run = function(input)
  approve("Harmless\27[2K\rDelete nothing")
end }
