--- Word: note evidence huge.
-- expect: KiB of text
-- exit: 1
return runbook { title = "Attack", run = function(input)
  note("x", { x = ("y"):rep(8e6) })
end }
