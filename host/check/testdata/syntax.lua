return runbook {
  title = "Syntax"
  run = function() end, --! syntax error near "run"
}
