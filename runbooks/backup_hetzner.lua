--- The plan's scripts/hetzner-backup.sh: backup | verify | restore | full, of a server of the hobby tier.
local backup, hetzner, ssh, pg = require "backup", require "hetzner", require "ssh", require "pg"
local health = require "std.health"

return runbook {
  title = "Hetzner backup",
  description = "Backs up the database and the files of a server, checks what there is, or brings it back",
  input = {
    operation = { doc = "What is done", example = "backup", choices = { "backup", "verify", "restore", "full" } },
    server = { doc = "Name of the server that is backed up", default = "hobby-1" },
    database = { doc = "Database of the application", default = "webhost_prod" },
    id = { doc = "Dump to verify or restore", default = "latest" },
    depth = { doc = "How deep it is verified", default = "restore", choices = { "sums", "read", "restore" } },
    target = { doc = "Server to restore on; the one that was backed up when not given", optional = true },
    domain = { doc = "Name under which its customers reach it", default = "hobby.webhost.systems" },
    files = { doc = "Folder of the application's files", default = "/var/www/webhost" },
    updates = { doc = "Folder of the sync updates; none when there is none", default = "/var/lib/postgresql/sync_updates" },
  },

  run = function(input)
    local operation = input.operation
    local web, sync = input.server .. "-files", input.server .. "-sync-updates"

    local function choose()
      if input.id ~= "latest" then return input.id end
      return backup.newest { database = input.database, label = input.server }.id
    end

    if operation == "backup" or operation == "full" then
      local server = step("Find the server", function()
        return hetzner.server { name = input.server }
      end)
      local dump = step("Dump the database", function()
        return backup.create { host = server.ipv4, database = input.database, label = input.server }
      end)
      if operation == "backup" then
        return finish("The dump " .. dump.id .. " has everything up to " .. dump.data_until)
      end
      step("Back up the application's files", function()
        return backup.create { kind = "files", host = "root@" .. server.ipv4, path = input.files, name = web, label = input.server }
      end)
      if input.updates ~= "none" then
        step("Back up the sync updates", function()
          return backup.create { kind = "files", host = "root@" .. server.ipv4, path = input.updates, name = sync, label = input.server }
        end)
      end
      local checked = step("Verify the new dump", function()
        return backup.verify { id = dump.id, depth = input.depth }
      end)
      return finish("The dump " .. dump.id .. " and the files are in the repository; verified: " .. checked.depth)
    end

    local id = step("Choose the dump", choose)
    if operation == "verify" then
      local checked = step("Verify the dump", function()
        return backup.verify { id = id, depth = input.depth }
      end)
      return finish("The dump " .. id .. " is good; verified: " .. checked.depth)
    end

    local target = step("Find the server to restore on", function()
      return hetzner.server { name = input.target or input.server }
    end)
    note("The dump " .. id .. " is restored on " .. target.name)
    approve("Replace the database " .. input.database .. " of " .. target.name)
    local back = step("Restore the database", function()
      return backup.restore { id = id, host = target.ipv4, database = input.database, replace = true }
    end)
    step("Restore the application's files", function()
      local newest = backup.list { database = web, limit = 1 }[1]
      if not newest then
        note("There is no backup of the application's files; they were left as they are")
        return nil
      end
      return backup.restore { id = newest.id, host = "root@" .. target.ipv4, path = input.files, replace = true }
    end)
    step("Start the application", function()
      ssh.run { host = target.ipv4, command = "systemctl restart webhost" }
      expect("the application on " .. target.name .. " is healthy", health.within("2m", input.domain, target.ipv4))
    end)
    step("Verify the data", function()
      local rows = pg.counts { host = target.ipv4, database = input.database, tables = { "customers", "sync_updates" } }
      expect("there are as many customers as in the dump", rows.tables.customers >= (back.tables.customers or 0))
      note("The data that came back is of " .. back.data_until, { rpo_until = back.data_until, customers = rows.tables.customers })
      return rows
    end)
    return finish(target.name .. " serves what was in the dump " .. id .. (back.kept and "; the database before is kept as " .. back.kept or ""))
  end,
}
