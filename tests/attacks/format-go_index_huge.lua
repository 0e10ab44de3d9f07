--- Format: go index huge.
-- expect: invalid option
-- exit: 1
return runbook { title = "Attack", run = function(input)
  return ("%[999999999]d"):format(1)
end }
