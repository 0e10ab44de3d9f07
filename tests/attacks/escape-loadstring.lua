--- Escape: loadstring.
-- expect: loadstring
-- exit: 2
return runbook { title = "Attack", run = function(input)
  return loadstring
end }
