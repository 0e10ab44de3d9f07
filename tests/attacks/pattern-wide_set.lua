--- Pattern: wide set.
-- expect: too costly or stopped as
-- exit: 1
return runbook { title = "Attack", run = function(input)
  return (("a"):rep(8e6):find("[" .. ("b"):rep(4000) .. "]*c"))
end }
