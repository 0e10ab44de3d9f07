--- Call: hog after each.
-- expect: stopped as an endless loop
-- exit: 1
local box = require "box"
return runbook { title = "Attack", run = function(input)
  local _, failed = parallel("P", {
    a = function() while true do end end,
    b = function() for i = 1, 100 do box.open { name = "b" } end return 1 end,
  }, { keep_going = true })
  assert(not failed.b, "the other branch starved")
  error(failed.a.message)
end }
