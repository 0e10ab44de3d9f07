--- Escape: dump computed.
-- expect: there is no string.dump
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local name = "du" .. "mp"
  return string[name](function() end)
end }
