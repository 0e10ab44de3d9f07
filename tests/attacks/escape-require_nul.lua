--- Escape: require nul.
-- expect: there is no module
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local w, k = { require }, 1
  local function r(...) return w[k](...) end
  r("std.health\0../x")
end }
