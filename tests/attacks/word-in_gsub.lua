--- Word: in gsub.
-- expect: unique
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local w, k = { step }, 1
  local function s(...) return w[k](...) end
  return (("xx"):gsub("x", function() s("Same", function() end) end))
end }
