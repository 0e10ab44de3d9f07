--- Escape: require nul.
-- expect: there is no module
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local r = select(2, 0, require)
  r("std.health\0../x")
end }
