--- Word: ask choices odd.
-- expect: ask: option choices must be a list of at most 100 texts
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local t = { {}, print }
  ask("Which?", { choices = t })
end }
