local hetzner = require "hetzner"
local all = hetzner.servers {} --! hetzner.servers is called while the file is loaded; it belongs inside run = function(input)
local title = run.id --! run is used while the file is loaded
step("Early", function() end) --! step is called while the file is loaded
return runbook { title = title, impact = #all .. " servers", run = function() end }
