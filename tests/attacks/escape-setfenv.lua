--- Escape: setfenv.
-- expect: setfenv
-- exit: 2
return runbook { title = "Attack", run = function(input)
  return setfenv
end }
