--- Memory: gsub growth.
-- expect: longer than 8 MiB
-- exit: 1
return runbook { title = "Attack", run = function(input)
  return (("x"):rep(1e5):gsub("x", ("y"):rep(1e5)))
end }
