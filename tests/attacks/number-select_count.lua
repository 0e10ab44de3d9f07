--- Number: select count.
-- expect: done
-- exit: 0
return runbook { title = "Attack", run = function(input)
  return { n = select("#", unpack({}, 1, 4096)) }
end }
