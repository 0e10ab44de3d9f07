--- Word: steps endless.
-- expect: stopped as an endless loop
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local i, w, k = 0, { step }, 1
  local function s(...) return w[k](...) end
  while true do i = i + 1 s("S" .. i, function() end) end
end }
