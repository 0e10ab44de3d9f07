--- Pattern: wide set.
-- expect: stopped as an endless loop
-- exit: 1
return runbook { title = "Attack", run = function(input)
  return (("a"):rep(8e6):find("[" .. ("b"):rep(4000) .. "]*c"))
end }
