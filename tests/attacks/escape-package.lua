--- Escape: package.
-- expect: package
-- exit: 2
return runbook { title = "Attack", run = function(input)
  return package
end }
