--- Value: deep.
-- expect: nested deeper
-- exit: 1
return runbook { title = "Attack", run = function(input)
  step("S", function()
    local t = {}
    for i = 1, 10000 do t = { t } end
    return t
  end)
end }
