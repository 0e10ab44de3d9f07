--- Scenario 5 of the recovery plan: a whole region of Fly.io is out, with the application and its database in it.
local fly, dns, cloudflare, notify = require "fly", require "dns", require "cloudflare", require "notify"
local apps, database, health = require "std.apps", require "std.database", require "std.health"

return runbook {
  title = "Complete region outage",
  severity = "critical",
  impact = "Regional service outage",
  objective = { rto = "4h", rpo = "1h" },
  input = {
    app = { doc = "Application at Fly.io", default = "webhost-prod" },
    region = { doc = "Region that is out", default = "ams" },
    backup_region = { doc = "Backup region, where the replica database is", default = "fra" },
    second_region = { doc = "Region for the application when the backup region is full", default = "cdg" },
    database = { doc = "Postgres app in the region that is out", default = "webhost-prod-db" },
    replica = { doc = "Postgres app with its replica in the backup region", default = "webhost-prod-db-replica" },
    name = { doc = "Database of the application", default = "webhost_prod" },
    zone = { doc = "DNS zone of the application's own names", default = "webhost.systems" },
  },

  run = function(input)
    -- Names under which customers reach the application; each has a health page.
    local fly_name = input.app .. ".fly.dev"
    local pages = {}
    for _, name in ipairs { fly_name, input.zone, "www." .. input.zone, "app." .. input.zone } do
      table.insert(pages, "https://" .. name .. "/health")
    end
    local page = pages[1]

    local found = step("Assess the situation", function()
      local app = fly.status { app = input.app }
      local answer = health.page(page)
      local gone = 0
      for _, machine in ipairs(app.machines) do
        if machine.region == input.region and machine.host ~= "ok" then gone = gone + 1 end
      end
      note(gone .. " machines of " .. input.app .. " are on hosts in " .. input.region .. " that do not answer; customers are "
        .. (answer.ok and "answered" or "not answered: " .. answer.reason))
      note(fly.pg_status { app = input.database }.says)
      return { gone = gone, answered = answer.ok }
    end)
    if found.answered then
      return finish("Customers are answered; nothing was changed")
    end
    expect("the region is what is broken (else go on with application_failure.lua or database_failure.lua)", found.gone > 0)

    step("Tell the team", { optional = true }, function()
      notify.send { subject = "Outage: region " .. input.region, severity = "critical",
        text = "Region " .. input.region .. " of Fly.io does not answer; customers of " .. input.app .. " are not served. Recovery has begun." }
    end)

    local came_back = step("See whether the region comes back by itself", function()
      return health.customers_served(page, "5m")
    end)
    if came_back then
      return finish("Region " .. input.region .. " came back by itself. Next: see that its databases agree (fly.pg_status), and read status.flyio.net")
    end

    approve("Give up region " .. input.region .. " and move " .. input.app .. " to " .. input.backup_region)

    local moved = step("Activate the disaster recovery site", {
      undo = function(moved)
        for _, id in ipairs(moved.stopped) do
          fly.machine_uncordon { app = input.app, machine = id }
          fly.machine_start { app = input.app, machine = id }
        end
        for _, machine in ipairs(moved.made) do
          fly.machine_cordon { app = input.app, machine = machine.id }
          fly.machine_stop { app = input.app, machine = machine.id }
        end
        note("The copies in " .. moved.region .. " are stopped, not destroyed; fly.machine_destroy when nobody needs them")
      end,
    }, function()
      local moved = apps.move(input.app, input.region, { input.backup_region, input.second_region })
      note(#moved.made .. " machines run in " .. moved.region .. "; their database comes next")
      return moved
    end)

    local dns_before = step("Note where DNS leads so far", { optional = true }, function()
      return cloudflare.records { zone = input.zone, name = "@", type = "A" }
    end)
    step("Update DNS to lead to the backup region", {
      optional = true,
      undo = function(changed)
        for _, record in ipairs(dns_before or {}) do
          if changed[record.content] then
            cloudflare.update_record { zone = input.zone, name = "@", type = "A", from = changed[record.content], content = record.content }
          end
        end
      end,
    }, function()
      -- Fly gives an app one address for all regions, so that there is often
      -- nothing to do: what leads elsewhere is set right.
      if not dns_before then note("Cloudflare does not answer; whether DNS leads to the application is seen below, as customers see it") end
      local address = dns.lookup { name = fly_name, type = "A" }.answers[1]
      local changed = {}
      for _, record in ipairs(dns_before or {}) do
        if record.content ~= address then
          cloudflare.update_record { zone = input.zone, name = "@", type = "A", from = record.content, content = address, ttl = 60 }
          changed[record.content] = address
        end
      end
      return changed
    end)

    local promoted = step("Promote the replica database", function()
      local done = fly.pg_failover { app = input.replica, primary_app = input.database, region = input.backup_region }
      note("Machine " .. done.primary.id .. " in " .. done.primary.region .. " is the primary now: " .. done.candidate)
      return done
    end)

    step("Verify the data", function()
      return database.verify(input.replica, input.name, { "customers", "sync_updates" }, "sync_updates")
    end)

    local updated = step("Update the application's DATABASE_URL", {
      undo = function()
        expect(input.database .. " takes writes again (else the application would be led to a database that is out)",
          fly.pg_status { app = input.database }.healthy)
        fly.secrets_set { app = input.app, values = { DATABASE_URL = database.url(input.database, input.name) },
          fill = { password = secret "env:WEBHOST_DB_PASSWORD" } }
      end,
    }, function()
      local updated = fly.secrets_set { app = input.app, values = { DATABASE_URL = database.url(input.replica, input.name) },
        fill = { password = secret "env:WEBHOST_DB_PASSWORD" } }
      local has, all = {}, true
      for _, machine in ipairs(updated.machines) do has[machine.id] = true end
      for _, machine in ipairs(moved.made) do all = all and has[machine.id] end
      expect("every machine that was made in " .. moved.region .. " has the new address", all)
      return updated
    end)

    step("Verify service health on all endpoints", function()
      health.all_served(pages, "10m", moved.region)
    end)

    step("Run the smoke queries", function()
      database.smoke(input.replica, input.name)
    end)

    step("Tell the team that service is restored", { optional = true }, function()
      notify.send { subject = "Restored: " .. input.app .. " serves from " .. moved.region, severity = "info",
        text = input.app .. " serves again from region " .. moved.region .. "; its database is " .. input.replica .. "." }
    end)

    step("Say what must not come back by itself", { optional = true }, function()
      for _, id in ipairs(promoted.old_left) do
        note("When " .. input.region .. " comes back: fly.machine_stop { app = \"" .. input.database .. "\", machine = \"" .. id
          .. "\" } at once; it may still take itself for the primary")
      end
      for _, id in ipairs(updated.skipped) do
        note("When " .. input.region .. " comes back: fly.machine_cordon and fly.machine_stop " .. id .. " of " .. input.app .. "; it uses the old database")
      end
    end)

    return finish(input.app .. " serves again from " .. moved.region .. ", with the database " .. input.replica
      .. ". Next: keep the machines in " .. input.region .. " that are named above from coming back; give " .. input.replica
      .. " a second node (fly.clone) and make a backup. To fail back when the region is well: rebuild " .. input.database
      .. " as a replica, promote it in a quiet hour, set DATABASE_URL, fly.move_region to " .. input.region .. "; hold the post-mortem")
  end,
}
