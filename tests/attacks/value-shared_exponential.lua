--- Value: shared exponential.
-- expect: more than 100000
-- exit: 1
return runbook { title = "Attack", run = function(input)
  step("S", function()
    local t = { "x" }
    for i = 1, 30 do t = { t, t } end
    return t
  end)
end }
