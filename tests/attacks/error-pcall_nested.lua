--- Error: pcall nested.
-- expect: done
-- exit: 0
return runbook { title = "Attack", run = function(input)
  local function f() return pcall(f) end
  return f()
end }
