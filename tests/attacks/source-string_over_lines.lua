--- Source: string over lines.
-- expect: unterminated string
-- exit: 2
return runbook { title = "Attack", run = function(input)
  local s = "never
  closed"
end }
