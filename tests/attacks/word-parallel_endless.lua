--- Word: parallel endless.
-- expect: stopped as an endless loop
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local i, w, k = 0, { parallel }, 1
  local function p(...) return w[k](...) end
  while true do i = i + 1 p("P" .. i, { a = function() end }) end
end }
