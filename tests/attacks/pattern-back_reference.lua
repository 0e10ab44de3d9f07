--- Pattern: back reference.
-- expect: the pattern is too costly for this string
-- exit: 1
return runbook { title = "Attack", run = function(input)
  return (("a"):rep(8e6):find("^(.*)%1b"))
end }
