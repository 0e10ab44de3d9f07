--- Time: next restarts.
-- expect: stopped as an endless loop
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local t = { a = 1, b = 2 }
  while next(t) do end
end }
