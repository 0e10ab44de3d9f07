--- Escape: shared upvalue.
-- expect: shared is changed inside a branch of par
-- exit: 2
return runbook { title = "Attack", run = function(input)
  local shared = 0
  parallel("All", {
    a = function() shared = shared + 1 return shared end,
    b = function() shared = shared + 1 return shared end,
  })
end }
