--- Scenario 4, a second disaster: the record is set right, and the server behind it dies.
local cloudflare, http = require "cloudflare", require "http"

return drill {
  title = "DNS: the server dies during the repair",
  runbook = "../dns_failure.lua",
  world = "../worlds/webhost.toml",
  speed = 300,
  every = "quarterly",
  ends = "failed",
  objective = { rto = "1h" },

  fault = function(world)
    world:wrong_record { name = "hobby.webhost.systems", content = "203.0.113.250" }
    world:later { provider = "cloudflare", method = "POST", path = "/client/v4/zones/*/dns_records/batch",
      fault = "break_server", args = { server = "hobby-1" } }
  end,

  expect = function(world, run)
    expect("the run does not call that a success", run.result == "failed")
    expect("and says how to go on", run.message:match("hetzner_failure") ~= nil)
    expect("the record is right", cloudflare.records { zone = "webhost.systems", name = "hobby" }[1].content == "203.0.113.10")
    expect("customers are not answered yet", not http.check { url = "http://hobby.webhost.systems/health" }.ok)
    expect("the broken server is the second disaster", #world:state {}.records["webhost.systems"] == 7)
  end,
}
