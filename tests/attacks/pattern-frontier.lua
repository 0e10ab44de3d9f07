--- Pattern: frontier.
-- expect: the script used 400ms of processor time between two calls; it is stopp
-- exit: 1
return runbook { title = "Attack", run = function(input)
  return (("a b "):rep(1e6):gsub("%f[%w]%w+%f[%W]", "%0%0"))
end }
