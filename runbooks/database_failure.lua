--- Scenario 1 of the recovery plan: the production database has failed.
local fly, notify = require "fly", require "notify"
local database, faults, health = require "std.database", require "std.faults", require "std.health"

return runbook {
  title = "Database failure",
  severity = "critical",
  impact = "Complete service outage",
  objective = { rto = "2h", rpo = "15m" },
  input = {
    database = { doc = "Postgres app at Fly.io", default = "webhost-prod-db" },
    app = { doc = "Application that uses it", default = "webhost-prod" },
    name = { doc = "Database of the application", default = "webhost_prod" },
    page = { doc = "Health page, as customers reach it", default = "https://webhost-prod.fly.dev/health" },
    escalate = { doc = "What to do when a restart does not help; restore when the data itself is damaged",
      choices = { "promote", "restore" }, default = "promote" },
    archive = { doc = "Where the value of its secret S3_ARCHIVE_CONFIG is kept, for when none of its machines answers",
      example = "env:WEBHOST_DB_ARCHIVE", optional = true },
  },

  run = function(input)
    local found = step("Assess the situation", function()
      local cluster = fly.pg_status { app = input.database }
      local answer = health.page(input.page)
      note(cluster.says)
      note("Customers are " .. (answer.ok and "answered" or "not answered: " .. answer.reason))
      return { well = cluster.healthy and answer.ok, database_well = cluster.healthy }
    end)
    if found.well then
      return finish(input.database .. " takes writes and customers are answered; nothing was changed")
    end

    step("Read the recent errors", { optional = true }, function()
      database.note_errors(input.database, "1h")
    end)

    step("Tell the team", { optional = true }, function()
      notify.send { subject = "Outage: " .. input.database, severity = "critical",
        text = "The database " .. input.database .. " has failed; customers of " .. input.app .. " are not served. Recovery has begun." }
    end)

    local after_restart = step("Try a restart of the database", function()
      local ok, fault = pcall(fly.pg_restart, { app = input.database, within = "5m" })
      if not ok and faults.blocked(fault) then error(fault) end
      if not ok then note("The restart did not bring it back: " .. tostring(fault)) end
      return database.well_within(ok and "5m" or "1m", input.database)
    end)

    local recovered = input.database
    if not after_restart then
      local left = step("See what is left", function()
        local cluster = fly.pg_status { app = input.database }
        note(cluster.says)
        return { replicas = cluster.replicas }
      end)

      local promoted = false
      if input.escalate == "promote" and left.replicas > 0 then
        approve("Promote the best replica of " .. input.database)
        promoted = step("Promote the best replica", function()
          local ok, done = pcall(fly.pg_failover, { app = input.database })
          if not ok and faults.blocked(done) then error(done) end
          if not ok then
            note("No replica could be promoted: " .. tostring(done))
            return false
          end
          note("Machine " .. done.primary.id .. " in " .. done.primary.region .. " is the primary now: " .. done.candidate)
          for _, id in ipairs(done.old_left) do
            note("The old primary " .. id .. " could not be stopped: when its host comes back, see that it joins as a replica")
          end
          return true
        end)
      end

      if not promoted then
        recovered = input.database .. "-restored"
        step("Find the newest backup", { optional = true }, function()
          local newest = database.newest_backup(input.database)
          note(newest and "The newest backup, " .. newest.id .. ", was complete at " .. newest.finished
            or input.database .. " has no complete backup: see fly.snapshots and `drhost backup list`")
        end)
        approve("Restore " .. input.database .. " from its backups into the new app " .. recovered)
        step("Restore from the backups", {
          undo = function(machine) fly.machine_stop { app = machine.app, machine = machine.id } end,
        }, function()
          return fly.pg_restore { app = input.database, to = recovered,
            archive = input.archive and secret(input.archive), password = secret "env:WEBHOST_DB_PASSWORD" }
        end)
      end
    end

    step("Verify the data", function()
      return database.verify(recovered, input.name, { "customers", "sync_updates" }, "sync_updates")
    end)

    if recovered == input.database then
      step("Restart the application", function()
        fly.restart { app = input.app }
      end)
    else
      step("Let the application use the restored database", {
        undo = function()
          expect(input.database .. " takes writes again (else the application would be led to a database that is out)",
            fly.pg_status { app = input.database }.healthy)
          fly.secrets_set { app = input.app, values = { DATABASE_URL = database.url(input.database, input.name) },
            fill = { password = secret "env:WEBHOST_DB_PASSWORD" } }
        end,
      }, function()
        fly.secrets_set { app = input.app, values = { DATABASE_URL = database.url(recovered, input.name) },
          fill = { password = secret "env:WEBHOST_DB_PASSWORD" } }
      end)
    end

    step("Verify as a customer", function()
      expect("a customer gets a healthy answer at " .. input.page, health.customers_served(input.page, "5m"))
    end)

    step("Tell the team that service is restored", { optional = true }, function()
      notify.send { subject = "Restored: " .. input.database, severity = "info",
        text = input.app .. " serves again; its database is " .. recovered .. "." }
    end)

    local nodes = after_restart and "look in its logs for what stopped it" or "bring it back to two healthy nodes (fly.clone), "
      .. "keep the failed ones until nobody needs their data"
    return finish(input.app .. " serves again, with the database " .. recovered .. ". Next: " .. nodes
      .. "; make a backup (fly.pg_backup_create); hold the post-mortem")
  end,
}
