--- Word: branch newline.
-- expect: control character
-- exit: 1
return runbook { title = "Attack", run = function(input)
  parallel("P", { ["a\nb"] = function() end })
end }
