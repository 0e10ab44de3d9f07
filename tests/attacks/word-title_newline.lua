--- Word: title newline.
-- expect: control character
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local w, k = { step }, 1
  local function s(...) return w[k](...) end
  s("a\nb", function() end)
end }
