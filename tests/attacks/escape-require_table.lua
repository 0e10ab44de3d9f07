--- Escape: require table.
-- expect: string expected
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local w, k = { require }, 1
  local function r(...) return w[k](...) end
  r({})
end }
