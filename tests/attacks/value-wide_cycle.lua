--- Value: wide cycle.
-- expect: contains itself
-- exit: 1
return runbook { title = "Attack", run = function(input)
  step("S", function()
    local t = {}
    for i = 1, 1000 do t[i] = t end
    return t
  end)
end }
