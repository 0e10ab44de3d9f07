--- Escape: run index odd.
-- expect: bad argument #2 to (anonymous) (string expected, got table)
-- exit: 1
return runbook { title = "Attack", run = function(input)
  return run[{}]
end }
