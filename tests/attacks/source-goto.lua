--- Source: goto.
-- expect: goto is not part of Lua 5.1; use if and else, or a function that retur
-- exit: 2
return runbook { title = "Attack", run = function(input)
  ::top:: goto top
end }
