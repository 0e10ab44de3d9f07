--- Format: nan.
-- expect: done
-- exit: 0
return runbook { title = "Attack", run = function(input)
  local s = ("%d %x %c"):format(0/0, 1/0, -1/0)
  return { s = #s }
end }
