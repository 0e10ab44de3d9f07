local hetzner = require "hetzner"
local function helper() return hetzner.servers {} end
print(#helper()) --! print is called while the file is loaded --! this calls hetzner.servers while the file is loaded --! the file must end in `return runbook { ... }`
