--- Error: binary text.
-- expect: {1b}[2J
-- exit: 1
return runbook { title = "Attack", run = function(input)
  error("\27[2J\0\255\r\nspoofed")
end }
