--- Scenario 4, the mild remedy suffices: one address was mistyped.
local http, cloudflare, dns = require "http", require "cloudflare", require "dns"

return drill {
  title = "DNS: one wrong record",
  runbook = "../dns_failure.lua",
  world = "../worlds/webhost.toml",
  speed = 60,
  every = "monthly",
  objective = { rto = "1h" },

  fault = function(world)
    world:wrong_record { name = "hobby.webhost.systems", content = "203.0.113.250" }
  end,

  expect = function(world, run)
    expect("the run is done", run.result == "done")
    local answer = http.check { url = "http://hobby.webhost.systems/health", json = { status = "ok", server = "hobby-1" } }
    expect("a customer gets a healthy answer from hobby-1", answer.ok)
    for _, row in ipairs(dns.check { name = "hobby.webhost.systems", expect = { "203.0.113.10" } }) do
      expect(row.server .. " gives the right address", row.ok)
    end
    expect("the other records are there still", #cloudflare.records { zone = "webhost.systems" } == 7)

    local changed = 0
    for _, request in ipairs(world:requests {}) do
      if request.acted and request.provider == "cloudflare" then changed = changed + 1 end
    end
    expect("the zone was changed once", changed == 1)
  end,
}
