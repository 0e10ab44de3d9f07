--- Word: each not a list.
-- expect: has the key
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local e = select(2, 0, each)
  e("E", { a = 1, b = 2 }, function() error("called") end)
  return nil
end }
