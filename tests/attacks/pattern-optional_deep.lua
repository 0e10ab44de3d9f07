--- Pattern: optional deep.
-- expect: too complex
-- exit: 1
return runbook { title = "Attack", run = function(input)
  return (("a"):rep(300):find(("a?"):rep(300) .. ("a"):rep(300)))
end }
