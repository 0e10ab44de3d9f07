return runbook {
  title = "Syntax",
  run = function()
    if true then
    end --! the file ends too early
