--- Number: rawset nan.
-- expect: table index is NaN
-- exit: 1
return runbook { title = "Attack", run = function(input)
  rawset({}, 0/0, 1)
end }
