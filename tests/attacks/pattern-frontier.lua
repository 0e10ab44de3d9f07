--- Pattern: frontier.
-- expect: KiB of text or stopped as
-- exit: 1
return runbook { title = "Attack", run = function(input)
  return (("a b "):rep(1e6):gsub("%f[%w]%w+%f[%W]", "%0%0"))
end }
