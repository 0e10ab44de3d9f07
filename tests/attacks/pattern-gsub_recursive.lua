--- Pattern: gsub recursive.
-- expect: overflow
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local function f() return (("x"):gsub("x", f)) end
  return f()
end }
