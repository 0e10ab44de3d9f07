--- Value: huge total.
-- expect: KiB of text
-- exit: 1
return runbook { title = "Attack", run = function(input)
  step("S", function()
    local s, t = ("x"):rep(8e6), {}
    for i = 1, 90000 do t[i] = s end
    return t
  end)
end }
