--- Meta: length lies.
-- expect: stopped as an endless loop
-- exit: 1
return runbook { title = "Attack", run = function(input)
  local t = setmetatable({}, { __len = function() return 1e15 end })
  local n = 0
  for i = 1, #t do n = n + 1 end
end }
