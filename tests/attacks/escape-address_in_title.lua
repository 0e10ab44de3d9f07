--- Escape: address in title.
-- expect: each: an item has no field
-- exit: 1
return runbook { title = "Attack", run = function(input)
  each("All", { {}, {} }, { key = "k" }, function() end)
end }
