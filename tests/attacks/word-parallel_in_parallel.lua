--- Word: parallel in parallel.
-- expect: branches are under way or inside 30 others or stopped as
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local p = select(2, 0, parallel)
  local function f() return p("P", { a = f, b = f }) end
  return f()
end }
