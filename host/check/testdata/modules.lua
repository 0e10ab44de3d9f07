local hetzner = require "hetnzer" --! there is no module "hetnzer"; did you mean "hetzner"?
local health = require "health" --! did you mean "std.health"?
local name = "http"
local http = require(name) --! require takes a literal name
local std = require "std.health"
local other = require("http", "hetzner") --! require takes the name of one module
local unused = require "http" --? module http is required and never used
local nothing, _quiet = 3, 4 --? local nothing is never used
local ssh = require "telephone" --! there is no module "telephone"; there are hetzner, http, std.health, std.outage
return runbook {
  title = "Modules",
  run = function()
    local late = require "hetzner" --! belongs at the top of the file
    late.server { name = "x" }
    hetzner.anything { }
    std.okk("x") --! there is no function std.health.okk; did you mean "ok"?
    std:ok("x") --! write std.ok(...), with a dot
    print(health.x, http.y, other, ssh)
  end,
}
