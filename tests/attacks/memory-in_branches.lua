--- Memory: in branches.
-- expect: memory runs out or stopped as
-- exit: 1
return runbook { title = "Attack", run = function(input)
  parallel("All", {
    a = function() local k = {} while true do k[#k + 1] = ("a"):rep(1e6) end end,
    b = function() local k = {} while true do k[#k + 1] = ("b"):rep(1e6) end end,
  }, { keep_going = true })
end }
