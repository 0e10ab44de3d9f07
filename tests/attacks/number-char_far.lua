--- Number: char far.
-- expect: invalid value
-- exit: 1
return runbook { title = "Attack", run = function(input)
  return string.char(1e300)
end }
