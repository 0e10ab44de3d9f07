--- Escape: run index nil.
-- expect: bad argument #2 to (anonymous) (string expected, got nil)
-- exit: 1
return runbook { title = "Attack", run = function(input)
  return run[nil]
end }
