--- Word: title escape.
-- expect: control character
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local s = select(2, 0, step)
  s("a\27[2Jb", function() end)
end }
