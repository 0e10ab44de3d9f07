--- Escape: run concat.
-- expect: attempt to concatenate a userdata value
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local r = run
  return r .. "x"
end }
