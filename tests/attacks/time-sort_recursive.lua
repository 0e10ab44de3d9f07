--- Time: sort recursive.
-- expect: overflow
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local function f(a, b) table.sort({ 2, 1 }, f) return a < b end
  table.sort({ 2, 1 }, f)
end }
