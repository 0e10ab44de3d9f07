--- Memory: closure chain.
-- expect: stopped
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local f = function() return 1 end
  while true do
    local g = f
    f = function() return g end
  end
end }
