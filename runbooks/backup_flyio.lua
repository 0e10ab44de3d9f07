--- The plan's scripts/flyio-backup.sh: backup | verify | restore | full, of the database at Fly.
local backup, pg = require "backup", require "pg"

return runbook {
  title = "Fly.io backup",
  description = "Dumps the production database, checks what there is, or brings it back",
  input = {
    operation = { doc = "What is done", example = "backup", choices = { "backup", "verify", "restore", "full" } },
    host = { doc = "Address of the database, such as the near end of flyctl proxy", example = "webhost-prod-db.flycast" },
    database = { doc = "Database of the application", default = "webhost_prod" },
    label = { doc = "What tells its dumps from those of other servers", default = "webhost-prod-db" },
    id = { doc = "Dump to verify or restore", default = "latest" },
    depth = { doc = "How deep it is verified", default = "restore", choices = { "sums", "read", "restore" } },
  },

  run = function(input)
    local operation = input.operation

    if operation == "backup" or operation == "full" then
      local dump = step("Dump the database", function()
        return backup.create { host = input.host, database = input.database, label = input.label }
      end)
      if operation == "full" then
        step("Verify the new dump", function()
          return backup.verify { id = dump.id, depth = input.depth }
        end)
      end
      return finish("The dump " .. dump.id .. " has everything up to " .. dump.data_until)
    end

    local id = step("Choose the dump", function()
      if input.id ~= "latest" then return input.id end
      return backup.newest { database = input.database, label = input.label }.id
    end)
    if operation == "verify" then
      local checked = step("Verify the dump", function()
        return backup.verify { id = id, depth = input.depth }
      end)
      return finish("The dump " .. id .. " is good; verified: " .. checked.depth)
    end

    note("The dump " .. id .. " is restored on " .. input.host)
    approve("Replace the database " .. input.database .. " of " .. input.host)
    local back = step("Restore the database", function()
      return backup.restore { id = id, host = input.host, database = input.database, replace = true }
    end)
    step("Verify the data", function()
      local rows = pg.counts { host = input.host, database = input.database, tables = { "customers" } }
      expect("there are as many customers as in the dump", rows.tables.customers >= (back.tables.customers or 0))
      note("The data that came back is of " .. back.data_until, { rpo_until = back.data_until, customers = rows.tables.customers })
      return rows
    end)
    return finish("The database serves what was in the dump " .. id .. (back.kept and "; the one before is kept as " .. back.kept or ""))
  end,
}
