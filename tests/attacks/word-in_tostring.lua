--- Word: in tostring.
-- expect: done
-- exit: 0
return runbook { title = "Attack", run = function(input)
  local w, k = { note }, 1
  local function n(...) return w[k](...) end
  print(setmetatable({}, { __tostring = function() n("inside") return "x" end }))
  return nil
end }
