--- Escape: require table.
-- expect: string expected
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local r = select(2, 0, require)
  r({})
end }
