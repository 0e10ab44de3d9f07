--- Memory: unpack.
-- expect: too many results
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local t = {}
  for i = 1, 1e5 do t[i] = i end
  return { unpack(t) }
end }
