--- Scenario 3 with everything against it: sold out where the server stood, and APIs that fail, also after having acted.
local http, pg, hetzner = require "http", require "pg", require "hetzner"

return drill {
  title = "Hetzner: sold out, and the APIs fail",
  runbook = "../hetzner_failure.lua",
  world = "../worlds/webhost.toml",
  speed = 60,
  every = "quarterly",
  input = { server = "hobby-1" },
  operator = { ["Give up hobby-1 and build a replacement"] = "yes" },
  objective = { rto = "4h", rpo = "1h" },

  fault = function(world)
    world:break_server { server = "hobby-1" }
    world:sold_out { location = "fsn1" }
    world:api { provider = "hetzner", kind = "rate_limited", count = 2 }
    world:api { provider = "hetzner", kind = "failing", count = 2, status = 503, method = "GET" }
    world:api { provider = "hetzner", kind = "act_then_fail", count = 2, method = "POST", path = "/v1/servers" }
    world:api { provider = "cloudflare", kind = "act_then_fail", count = 1, cut = true, method = "mutation" }
    world:api { provider = "hetzner", kind = "act_then_fail", count = 1, method = "POST", path = "/v1/floating_ips/*/actions/assign" }
  end,

  expect = function(world, run)
    expect("the run is done", run.result == "done")

    local replacement = hetzner.server { name = "hobby-1-replacement" }
    expect("the replacement is where there was room", replacement.location ~= "fsn1")
    local answer = http.check { url = "http://hobby.webhost.systems/health", json = { status = "ok", server = replacement.name } }
    expect("a customer gets a healthy answer from the replacement", answer.ok)

    local rows = pg.counts { host = "hobby.webhost.systems", database = "webhost_prod", tables = { "customers", "sync_updates" } }
    expect("the data came back", rows.tables.customers >= 200 and rows.tables.sync_updates >= 2000)

    local created, moved = 0, 0
    for _, request in ipairs(world:requests {}) do
      if request.acted and request.method == "POST" and request.path == "/v1/servers" then created = created + 1 end
      if request.acted and request.path:match("/floating_ips/%d+/actions/assign$") then moved = moved + 1 end
    end
    expect("one server was created, although the answer was lost", created == 1)
    expect("and the floating IP was moved once", moved == 1)
    expect("there is no second server", #hetzner.servers {} == 4)
  end,
}
