--- Scenario 4 while Cloudflare misbehaves: it refuses for a while, breaks, and acts without answering.
local http, cloudflare = require "http", require "cloudflare"

return drill {
  title = "DNS: Cloudflare misbehaves",
  runbook = "../dns_failure.lua",
  world = "../worlds/webhost.toml",
  speed = 60,
  every = "quarterly",
  objective = { rto = "1h" },

  fault = function(world)
    world:wrong_record { name = "hobby.webhost.systems", content = "203.0.113.250" }
    world:lose_record { name = "www.hobby.webhost.systems" }
    world:api { provider = "cloudflare", kind = "rate_limited", count = 2 }
    world:api { provider = "cloudflare", kind = "failing", count = 2, status = 503, method = "GET" }
    world:api { provider = "cloudflare", kind = "act_then_fail", count = 1, cut = true, method = "mutation" }
  end,

  expect = function(world, run)
    expect("the run is done", run.result == "done")
    local answer = http.check { url = "http://www.hobby.webhost.systems/health", json = { status = "ok", server = "hobby-1" } }
    expect("a customer gets a healthy answer from hobby-1", answer.ok)
    expect("the alias was made once", #cloudflare.records { zone = "webhost.systems", name = "www.hobby" } == 1)

    local acted = 0
    for _, request in ipairs(world:requests {}) do
      if request.acted and request.provider == "cloudflare" then acted = acted + 1 end
    end
    expect("the change was made once, although its answer was lost", acted == 1)
  end,
}
