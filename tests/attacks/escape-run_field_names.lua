--- Escape: run field names.
-- expect: done
-- exit: 0
return runbook { title = "Attack", run = function(input)
  for _, k in ipairs({ "ID", "Elapsed", "s", "S", "session", "__index" }) do local ok, v = pcall(function() return run[k] end) if ok and v ~= nil then error("reached " .. k) end end
  return nil
end }
