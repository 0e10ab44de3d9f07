local http = require "http"
return drill {
  title = "A drill", runbook = "../x.lua", world = "../worlds/x.toml", every = "monthly", speed = 20,
  input = { server = "hobby-1" }, operator = { ["Go on?"] = "yes" }, objective = { rto = "4h", rpo = "1h" },
  setup = function(world) world:sold_out("fsn1") end,
  fault = function(world) world:kill_server { server = "hobby-1" } end,
  expect = function(world, run)
    local hetzner = require "hetzner"
    expect("a customer is served", http.check({ url = "http://hobby.example.org/health" }).ok)
    expect("the run is done", run.result == "done" and run.rpo < 3600 and run.mutations > 1)
    expect("there is one server", #hetzner.servers {} == 1)
    world:kill_server { server = "hobby-2" }
  end,
}
