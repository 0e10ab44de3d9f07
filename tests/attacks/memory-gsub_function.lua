--- Memory: gsub function.
-- expect: longer than 8 MiB
-- exit: 1
return runbook { title = "Attack", run = function(input)
  return (("x"):rep(1e5):gsub("x", function() return ("y"):rep(1e6) end))
end }
