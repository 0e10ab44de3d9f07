--- Pattern: position captures.
-- expect: done
-- exit: 0
return runbook { title = "Attack", run = function(input)
  return { n = #(("x"):rep(1e5):gsub("()", "%1")) }
end }
