--- Pattern: gmatch anchor.
-- expect: done
-- exit: 0
return runbook { title = "Attack", run = function(input)
  local n = 0
  for _ in ("xxx"):gmatch("^x") do n = n + 1 end
  return { n = n }
end }
