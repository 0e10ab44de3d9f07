--- Escape: coroutine.
-- expect: coroutine
-- exit: 2
return runbook { title = "Attack", run = function(input)
  return coroutine
end }
