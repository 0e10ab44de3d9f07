--- Escape: globals.
-- expect: _G
-- exit: 2
return runbook { title = "Attack", run = function(input)
  return _G
end }
