--- Time: compare loop.
-- expect: stopped as an endless loop
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local a, b = ("x"):rep(8e6) .. "a", ("x"):rep(8e6) .. "b"
  local n = 0
  while true do if a < b then n = n + 1 end end
end }
