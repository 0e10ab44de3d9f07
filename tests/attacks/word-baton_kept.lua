--- Word: baton kept.
-- expect: stopped as an endless loop
-- exit: 1
return runbook { title = "Attack", run = function(input)
  parallel("P", {
    a = function() while true do end end,
    b = function() note("b was here") end,
  })
end }
