--- Word: as handler.
-- expect: done
-- exit: 0
return runbook { title = "Attack", run = function(input)
  local w, k = { step }, 1
  local function s(...) return w[k](...) end
  xpcall(error, function() s("Handler", function() error("inside") end) end)
  return nil
end }
