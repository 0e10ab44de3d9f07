--- Scenario 3, the mild remedy does not suffice: the hardware is dead.
local http, pg, hetzner = require "http", require "pg", require "hetzner"

return drill {
  title = "Hetzner: a replacement is needed",
  runbook = "../hetzner_failure.lua",
  world = "../worlds/webhost.toml",
  speed = 60,
  every = "monthly",
  input = { server = "hobby-1" },
  operator = { ["Give up hobby-1 and build a replacement"] = "yes" },
  objective = { rto = "4h", rpo = "1h" },

  fault = function(world)
    world:break_server { server = "hobby-1" }
  end,

  expect = function(world, run)
    expect("the run is done", run.result == "done")

    local answer = http.check { url = "http://hobby.webhost.systems/health", json = { status = "ok", server = "hobby-1-replacement" } }
    expect("a customer gets a healthy answer from the replacement", answer.ok)
    local static = http.check { url = "http://hobby-static.webhost.systems/health", json = { status = "ok", server = "hobby-1-replacement" } }
    expect("so does one who uses the floating IP", static.ok)

    local rows = pg.counts { host = "hobby.webhost.systems", database = "webhost_prod", tables = { "customers", "sync_updates" } }
    expect("all customers of the backup came back", rows.tables.customers >= 200)
    expect("and their updates", rows.tables.sync_updates >= 2000)

    local created = 0
    for _, request in ipairs(world:requests {}) do
      if request.method == "POST" and request.path == "/v1/servers" and request.acted then created = created + 1 end
    end
    expect("one server was created, not two", created == 1)
    expect("and there is one of that name", #hetzner.servers {} == 4)
    expect("the failed server was left switched off", hetzner.server { name = "hobby-1" }.status == "off")
  end,
}
