--- Escape: getfenv.
-- expect: getfenv
-- exit: 2
return runbook { title = "Attack", run = function(input)
  return getfenv
end }
