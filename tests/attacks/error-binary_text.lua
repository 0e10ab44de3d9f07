--- Error: binary text.
-- expect: u{1b}[2Ju{0}�u{d}n           spoofednfai
-- exit: 1
return runbook { title = "Attack", run = function(input)
  error("\27[2J\0\255\r\nspoofed")
end }
