--- Word: each not a list.
-- expect: done
-- exit: 0
return runbook { title = "Attack", run = function(input)
  local w, k = { each }, 1
  local function e(...) return w[k](...) end
  e("E", { a = 1, b = 2 }, function() error("called") end)
  return nil
end }
