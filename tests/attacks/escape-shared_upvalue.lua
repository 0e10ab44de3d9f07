--- Escape: shared upvalue.
-- expect: is changed inside a branch of parallel
-- exit: 2
return runbook { title = "Attack", run = function(input)
  local shared = 0
  parallel("All", {
    a = function() shared = shared + 1 return shared end,
    b = function() shared = shared + 1 return shared end,
  })
end }
