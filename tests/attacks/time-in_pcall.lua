--- Time: in pcall.
-- expect: stopped as an endless loop
-- exit: 1
return runbook { title = "Attack", run = function(input)
  while true do pcall(function() while true do end end) end
end }
