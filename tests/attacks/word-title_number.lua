--- Word: title number.
-- expect: takes a title
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local w, k = { step }, 1
  local function s(...) return w[k](...) end
  s(1, function() end)
end }
