--- Escape: table addresses.
-- expect: done
-- exit: 0
return runbook { title = "Attack", run = function(input)
  local a, b = tostring({}), tostring({})
  assert(a == b and a == "table", a)
  return { text = tostring(print) }
end }
