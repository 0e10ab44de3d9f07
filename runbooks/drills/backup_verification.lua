--- The plan's monthly test: the newest backup is restored to staging, is whole, and the application answers.
local http, pg, backup = require "http", require "pg", require "backup"

return drill {
  title = "Backup verification: the newest backup serves on staging",
  runbook = "../backup_hetzner.lua",
  world = "../worlds/staging.toml",
  speed = 60,
  every = "monthly",
  input = { operation = "restore", server = "hobby-1", target = "staging-1", updates = "none" },
  operator = { ["Replace the database webhost_prod of staging-1"] = "yes" },
  objective = { rto = "4h", rpo = "1h" },

  expect = function(world, run)
    expect("the run is done", run.result == "done")

    local answer = http.check { url = "http://staging.webhost.systems/health", json = { status = "ok", server = "staging-1" } }
    expect("the application on staging answers", answer.ok)
    local newest = backup.newest { database = "webhost_prod", label = "hobby-1", verified = true }
    expect("the newest backup of hobby-1 counts as verified", newest.rows > 0)
    local rows = pg.counts { host = "staging.webhost.systems", database = "webhost_prod", tables = { "customers", "sync_updates" } }
    expect("all customers of the backup are on staging", rows.tables.customers >= 200)
    expect("and their updates", rows.tables.sync_updates >= 2000)

    local truth = world:truth { server = "hobby-1" }
    local served = pg.counts { host = "hobby.webhost.systems", database = "webhost_prod", tables = { "sync_updates" } }
    expect("production went on meanwhile", served.tables.sync_updates >= truth.count)
  end,
}
