--- Scenario 3 of the recovery plan: a Hetzner server of the hobby tier has failed.
local hetzner, cloudflare, dns = require "hetzner", require "cloudflare", require "dns"
local backup, pg, ssh, notify = require "backup", require "pg", require "ssh", require "notify"
local health = require "std.health"

return runbook {
  title = "Hetzner server failure",
  severity = "critical",
  impact = "Complete outage for the hobby-tier customers on it",
  objective = { rto = "4h", rpo = "1h" },
  input = {
    server = { doc = "Name of the failed server", example = "hobby-1" },
    domain = { doc = "Name under which its customers reach it", default = "hobby.webhost.systems" },
    zone = { doc = "DNS zone of that name", default = "webhost.systems" },
    floating_ip = { doc = "Floating IP that customers may have pinned", default = "hobby-ip" },
    database = { doc = "Database of the application", default = "webhost_prod" },
    files = { doc = "Where the application's files are kept", default = "backup@storage.webhost.systems:/backups/app" },
  },

  run = function(input)
    local failed = step("Assess the server", function()
      local server = hetzner.server { name = input.server }
      local answer = health.answer(input.domain, server.ipv4)
      note(server.name .. " is " .. server.status .. " at " .. server.location .. ", its application "
        .. (answer.ok and "answers" or "does not answer: " .. answer.reason))
      return { server = server, healthy = answer.ok }
    end)
    if failed.healthy then
      return finish(input.server .. " answers as it should; nothing was changed")
    end
    local server = failed.server

    step("Tell the team", { optional = true }, function()
      notify.send { subject = "Outage: " .. server.name, severity = "critical",
        text = "The Hetzner server " .. server.name .. " does not answer. Recovery has begun." }
    end)

    local after_soft = step("Try a soft reboot", function()
      if server.status ~= "running" then return false end
      hetzner.reboot { server = server.name, mode = "soft" }
      return health.within("2m", input.domain, server.ipv4)
    end)
    if after_soft then
      return finish(server.name .. " serves again after a soft reboot")
    end

    local after_hard = step("Try a hard reboot", function()
      if server.status == "off" then
        note(server.name .. " has no power; it is switched on instead")
        hetzner.poweron { server = server.name }
      else
        hetzner.reboot { server = server.name, mode = "hard" }
      end
      return health.within("3m", input.domain, server.ipv4)
    end)
    if after_hard then
      return finish(server.name .. " serves again after a hard reboot")
    end

    approve("Give up " .. server.name .. " and build a replacement")

    local found = parallel("Provision a replacement while finding the newest backup", {
      replacement = function()
        local machine = step("Create the replacement", {
          undo = function(created) hetzner.delete_server { server = created.name } end,
        }, function()
          return hetzner.create_server { name = input.server .. "-replacement", like = server.name,
            locations = { server.location, "nbg1", "hel1" } }
        end)
        step("Wait until it answers", function()
          ssh.trust { host = machine.ipv4, within = "10m" }
          ssh.wait_ready { host = machine.ipv4, within = "5m" }
          pg.wait_ready { host = machine.ipv4, within = "5m" }
        end)
        return machine
      end,
      backup = function()
        return step("Find the newest backup that is whole", function()
          local newest = backup.newest { database = input.database, label = server.name }
          backup.verify { id = newest.id }
          return newest
        end)
      end,
    })
    local replacement, newest = found.replacement, found.backup

    step("Switch the failed server off, so that it cannot come back beside its replacement", {
      optional = true,
      undo = function()
        if server.status == "running" then hetzner.poweron { server = server.name } end
      end,
    }, function()
      hetzner.poweroff { server = server.name }
    end)

    parallel("Restore from backup", {
      database = function()
        return step("Restore the database", function()
          return backup.restore { id = newest.id, host = replacement.ipv4, database = input.database }
        end)
      end,
      files = function()
        return step("Restore the application's files", function()
          return ssh.sync { source = input.files, target = "root@" .. replacement.ipv4 .. ":/var/www/webhost" }
        end)
      end,
    })

    step("Start the application", function()
      ssh.run { host = replacement.ipv4, command = "systemctl restart webhost" }
      expect("the application on the replacement is healthy", health.within("2m", input.domain, replacement.ipv4))
    end)

    step("Verify the data", function()
      local rows = pg.counts { host = replacement.ipv4, database = input.database, tables = { "customers", "sync_updates" } }
      local last = pg.newest { host = replacement.ipv4, database = input.database, table = "sync_updates" }
      expect("there are customers", rows.tables.customers > 0)
      note("The newest row that came back is of " .. last.at, { rpo_until = last.at, customers = rows.tables.customers })
      return rows
    end)

    local before = step("Note where customers are sent so far", function()
      local record = cloudflare.records { zone = input.zone, name = input.domain, type = "A" }[1]
      return { address = record and record.content, ttl = record and record.ttl,
        server = hetzner.floating_ip { name = input.floating_ip }.server }
    end)

    parallel("Send customers to the replacement", {
      dns = function()
        step("Move the DNS record", {
          undo = function()
            if not before.address then return cloudflare.delete_record { zone = input.zone, name = input.domain, type = "A" } end
            cloudflare.set_record { zone = input.zone, name = input.domain, type = "A", content = before.address, ttl = before.ttl }
          end,
        }, function()
          cloudflare.set_record { zone = input.zone, name = input.domain, type = "A", content = replacement.ipv4, ttl = 60 }
        end)
        step("Wait until the world knows the new address", function()
          dns.wait_propagated { name = input.domain, type = "A", expect = { replacement.ipv4 } }
        end)
      end,
      floating_ip = function()
        step("Move the floating IP", {
          undo = function()
            if not before.server then return hetzner.unassign_floating_ip { ip = input.floating_ip } end
            hetzner.assign_floating_ip { ip = input.floating_ip, server = before.server }
          end,
        }, function()
          hetzner.assign_floating_ip { ip = input.floating_ip, server = replacement.name }
        end)
      end,
    })

    step("Verify as a customer", function()
      expect("a customer who looks up " .. input.domain .. " gets a healthy answer from " .. replacement.name,
        health.customers_reach(replacement.name, input.domain, "10m"))
    end)

    step("Tell the team that service is restored", { optional = true }, function()
      notify.send { subject = "Restored: " .. server.name, severity = "info",
        text = input.domain .. " serves again from " .. replacement.name .. "." }
    end)

    return finish("The hobby tier serves again from " .. replacement.name .. ". Next: keep " .. server.name
      .. " switched off until nobody needs its disk, then delete it; hold the post-mortem")
  end,
}
