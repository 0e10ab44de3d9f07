--- The monthly test of the plan: DNS failover, measured, with its notices sent.
local http, cloudflare = require "http", require "cloudflare"

return drill {
  title = "Monthly: DNS failover",
  runbook = "../dns_failover.lua",
  world = "../worlds/webhost.toml",
  speed = 60,
  every = "monthly",
  objective = { rto = "30m" },

  expect = function(world, run)
    expect("the run is done", run.result == "done")
    local answer = http.check { url = "http://hobby.webhost.systems/health", json = { status = "ok", server = "hobby-1" } }
    expect("customers are with hobby-1 again", answer.ok)
    local record = cloudflare.records { zone = "webhost.systems", name = "hobby" }
    expect("the zone is as before", #record == 1 and record[1].content == "203.0.113.10" and record[1].ttl == 60)

    local moved = 0
    for _, request in ipairs(world:requests {}) do
      if request.acted and request.provider == "cloudflare" then moved = moved + 1 end
    end
    expect("the record was moved there and back", moved == 2)

    local notices = 0
    for _, message in ipairs(world:inbox {}) do
      if tostring(message.body.subject):match("^%[DRILL%]") then notices = notices + 1 end
    end
    expect("both notices went out, marked as a drill", notices == 2)
  end,
}
