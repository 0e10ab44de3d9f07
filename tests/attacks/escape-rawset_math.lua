--- Escape: rawset math.
-- expect: cannot be changed
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local w, k = { math }, 1
  rawset(w[k], "random", function() return 4 end)
end }
