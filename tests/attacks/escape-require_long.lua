--- Escape: require long.
-- expect: there is no module
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local r = select(2, 0, require)
  r(("x"):rep(8e6))
end }
