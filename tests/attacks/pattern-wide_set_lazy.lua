--- Pattern: wide set lazy.
-- expect: too costly or stopped as
-- exit: 1
return runbook { title = "Attack", run = function(input)
  return (("a"):rep(1e6):find("[^" .. ("b"):rep(4000) .. "]-c"))
end }
