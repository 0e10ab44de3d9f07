--- Escape: require parent.
-- expect: there is no module
-- exit: 2
return runbook { title = "Attack", run = function(input)
  require "../secrets"
end }
