--- Memory: gsub captures.
-- expect: longer than 8 MiB
-- exit: 1
return runbook { title = "Attack", run = function(input)
  return (("x"):rep(4000):gsub("(.-)x", ("%1%0"):rep(2000) .. ("z"):rep(9000)))
end }
