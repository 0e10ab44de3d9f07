--- Value: many.
-- expect: more than 100000
-- exit: 1
return runbook { title = "Attack", run = function(input)
  step("S", function()
    local t = {}
    for i = 1, 200000 do t[i] = i end
    return t
  end)
end }
