--- Escape: newproxy.
-- expect: newproxy
-- exit: 2
return runbook { title = "Attack", run = function(input)
  return newproxy
end }
