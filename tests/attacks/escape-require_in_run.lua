--- Escape: require in run.
-- expect: stopped as an endless loop
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local w, k = { require }, 1
  for i = 1, 1e9 do local r = w[k] pcall(r, "nothing" .. i) end
end }
