--- Word: branch newline.
-- expect: parallel: the title or name
-- exit: 1
return runbook { title = "Attack", run = function(input)
  parallel("P", { ["a\nb"] = function() end })
end }
