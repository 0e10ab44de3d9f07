--- Escape: rawset math.
-- expect: cannot be changed
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local hidden = select(2, 0, math)
  rawset(hidden, "random", function() return 4 end)
end }
