--- Escape: require in run.
-- expect: stopped as an endless loop
-- exit: 1
return runbook { title = "Attack", run = function(input)
  for i = 1, 1e9 do local r = select(2, 0, require) pcall(r, "nothing" .. i) end
end }
