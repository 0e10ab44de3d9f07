--- Time: ipairs growing.
-- expect: stopped
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local t = { 1 }
  for i in ipairs(t) do t[i + 1] = 1 end
end }
