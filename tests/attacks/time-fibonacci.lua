--- Time: fibonacci.
-- expect: stopped as an endless loop
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local function fib(n) return n < 2 and n or fib(n - 1) + fib(n - 2) end
  return fib(60)
end }
