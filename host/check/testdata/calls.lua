local hetzner, http = require "hetzner", require "http"
return runbook {
  title = "Calls",
  run = function(input)
    hetzner.servr { name = "hobby-1" } --! there is no function hetzner.servr; did you mean "server"?
    hetzner.server("hobby-1") --! hetzner.server takes exactly one table, not a string; as in hetzner.server { name = "hobby-1" }
    hetzner.servers() --! hetzner.servers takes exactly one table
    hetzner.server({ name = "a" }, { name = "b" }) --! hetzner.server takes exactly one table
    hetzner:server { name = "a" } --! write hetzner.server { ... }, with a dot
    hetzner:servr { name = "a" } --! did you mean "server"?
    hetzner.server { "hobby-1" } --! hetzner.server takes named arguments: { name = ... }
    hetzner.server { nmae = "hobby-1" } --! has no argument "nmae"; did you mean "name"? --! needs the argument "name": Name or id of the server
    hetzner.server { name = nil } --! needs the argument "name"
    hetzner.server { name = "a", name = "b" } --! field "name" is set twice in this table
    hetzner.reboot {
      server = "hobby-1",
      mode = "hrad", --! "hrad" is none of soft, hard; did you mean "hard"?
      within = "5 minutes", --! must be a duration such as "30s", "5m" or "1h30m", not "5 minutes"
    }
    hetzner.reboot { server = 7, within = 300 } --! argument "server" must be a string, not a number --! argument "within" must be a duration
    hetzner.reboot { server = { "x" } } --! argument "server" must be a string, not a table
    hetzner.create_server { name = "x", locations = { "fsn1", 3 } } --! argument "locations[2]" must be a string, not a number
    hetzner.create_server { name = "x", locations = { first = "fsn1" } } --! argument "locations" must be a list, without names
    hetzner.create_server { name = "x", labels = { "a" } } --! argument "labels" must be a table with named fields
    hetzner.create_server { name = "x", labels = { tier = true } } --! argument "labels.tier" must be a string, not true or false
    hetzner.create_server { name = "x", volumes = { { size = 1.5 }, {} } } --! argument "volumes[1].size" must be a whole number, not 1.5 --! needs the argument "volumes[2].size"
    hetzner.create_server { name = "x", volumes = { { sise = 1, size = 2 } } } --! has no argument "volumes[1].sise"; did you mean "size"?
    hetzner.create_server { name = "x", start = "yes" } --! argument "start" must be true or false, not "yes"
    hetzner.create_server { name = "x", start = "true" } --! argument "start" must be true or false, not the text "true"; write true without quotes
    hetzner.create_server { name = "x", volumes = { { size = "10" } } } --! argument "volumes[1].size" must be a whole number, not the text "10"; write 10 without quotes
    hetzner.create_server { name = "x", weight = "1.5" } --! must be a number, not the text "1.5"; write 1.5 without quotes
    hetzner.create_server { name = "x", weight = "heavy" } --! argument "weight" must be a number, not "heavy"
    hetzner.create_server { name = "x", since = "yesterday" } --! argument "since" must be a time such as
    hetzner.create_server { name = "x", volumes = "big" } --! argument "volumes" must be a list, not "big"
    hetzner.create_server { name = "x", start = {} } --! not an empty table
    local server = hetzner.server { name = "a" }
    hetzner.reboot { server = server } --! argument "server" must be a string, not a check_test.Server; did you mean "server.name"?
    hetzner.reboot { server = server.disk } --! argument "server" must be a string
    hetzner.reboot { server = server.cores } --! argument "server" must be a string, not a number
    hetzner.reboot(server.name) --! takes exactly one table, not a string
    hetzner.server(hetzner.servers {}) --! takes named arguments, not a list
    local args = { sevrer = "x" }
    hetzner.reboot(args) --! has no argument "sevrer"; did you mean "server"? --! needs the argument "server"
    local reboot = hetzner.reboot
    reboot { servr = "x", server = "y" } --! hetzner.reboot has no argument "servr"
    http.check { url = input } --! argument "url" must be a string, not a table
    server.name() --! server.name is a string and cannot be called
    server:reboot() --! data has no methods
    hetzner { name = "x" } --! hetzner is a module and cannot be called
    local text = "server " .. server --! server is a check_test.Server and cannot be joined to a text with ..
    print(text .. hetzner.reboot, text:uper()) --! hetzner.reboot is a function and cannot be joined --! there is no string.uper; did you mean "upper"?
    print(run.elapsed(), run.result("Assess")) --! write run:elapsed(...), with a colon --! write run:result(...), with a colon --! no step is titled "Assess"
    pcall(hetzner.server, { nam = "x" }) --! did you mean "name"? --! needs the argument "name"
    xpcall(function() hetzner.servr {} end, function(err) print(err) end) --! did you mean "server"?
    for _, name in ipairs(server) do print(name) end --! ipairs takes a list, not
  end,
}
