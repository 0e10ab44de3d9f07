--- Scenario 4, a second disaster: whoever broke the record breaks it again right after the repair.
local http = require "http"

return drill {
  title = "DNS: changed again during the repair",
  runbook = "../dns_failure.lua",
  world = "../worlds/webhost.toml",
  speed = 60,
  every = "quarterly",
  operator = {
    ["Somebody changed zone webhost.systems during the repair. Once more: change A hobby.webhost.systems from 203.0.113.249 to 203.0.113.10"] = "yes",
  },
  objective = { rto = "1h" },

  fault = function(world)
    world:wrong_record { name = "hobby.webhost.systems", content = "203.0.113.250" }
    world:later { provider = "cloudflare", method = "POST", path = "/client/v4/zones/*/dns_records/batch",
      fault = "wrong_record", args = { name = "hobby.webhost.systems", content = "203.0.113.249" } }
  end,

  expect = function(world, run)
    expect("the run is done", run.result == "done")
    local answer = http.check { url = "http://hobby.webhost.systems/health", json = { status = "ok", server = "hobby-1" } }
    expect("a customer gets a healthy answer from hobby-1", answer.ok)
    local batches = 0
    for _, request in ipairs(world:requests {}) do
      if request.acted and request.provider == "cloudflare" then batches = batches + 1 end
    end
    expect("the record was set right twice, once for each time it was broken", batches == 2)
  end,
}
