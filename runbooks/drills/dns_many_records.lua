--- Scenario 4, the mild remedy does not suffice: records are lost, wrong and rogue, and one has a wrong TTL.
local http, cloudflare = require "http", require "cloudflare"

return drill {
  title = "DNS: the zone is in a mess",
  runbook = "../dns_failure.lua",
  world = "../worlds/webhost.toml",
  speed = 60,
  every = "quarterly",
  operator = {
    ["In zone webhost.systems: delete A hobby.webhost.systems = 203.0.113.251; delete A rogue.webhost.systems = 203.0.113.252"] = "yes",
  },
  objective = { rto = "1h" },

  fault = function(world)
    world:rogue_record { name = "hobby.webhost.systems", content = "203.0.113.251", ttl = 60 }
    world:rogue_record { name = "rogue.webhost.systems", content = "203.0.113.252" }
    world:wrong_record { name = "hobby-static.webhost.systems", content = "203.0.113.250" }
    world:wrong_record { name = "hobby-2.webhost.systems", ttl = 86400 }
    world:lose_record { name = "storage.webhost.systems" }
    world:lose_record { name = "www.hobby.webhost.systems" }
    world:lose_record { name = "webhost.systems", type = "MX" }
  end,

  expect = function(world, run)
    expect("the run is done", run.result == "done")
    for _, name in ipairs { "hobby", "hobby-static", "www.hobby" } do
      local reached = eventually("10m", { every = "10s" }, function() -- resolvers may remember the wrong answer for its TTL
        local answer = http.check { url = "http://" .. name .. ".webhost.systems/health", json = { status = "ok", server = "hobby-1" } }
        return answer.ok
      end)
      expect("a customer of " .. name .. " gets a healthy answer from hobby-1", reached)
    end
    local records = cloudflare.records { zone = "webhost.systems" }
    expect("seven records are there, as before", #records == 7)
    for _, record in ipairs(records) do
      expect(record.name .. " has a sound TTL", record.ttl <= 300)
    end

    local batches = 0
    for _, request in ipairs(world:requests {}) do
      if request.acted and request.provider == "cloudflare" then batches = batches + 1 end
    end
    expect("two transactions did it: what is set right, and what an approval deletes", batches == 2)
  end,
}
