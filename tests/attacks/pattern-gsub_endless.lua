--- Pattern: gsub endless.
-- expect: stopped as an endless loop
-- exit: 1
return runbook { title = "Attack", run = function(input)
  return (("x"):gsub("x", function() while true do end end))
end }
