--- Escape: module.
-- expect: module
-- exit: 2
return runbook { title = "Attack", run = function(input)
  return module
end }
