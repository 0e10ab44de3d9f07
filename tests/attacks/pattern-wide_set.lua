--- Pattern: wide set.
-- expect: the script used 400ms of processor time between two calls; it is stopp
-- exit: 1
return runbook { title = "Attack", run = function(input)
  return (("a"):rep(8e6):find("[" .. ("b"):rep(4000) .. "]*c"))
end }
