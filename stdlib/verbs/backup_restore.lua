--- drhost backup restore: bring a backup back, by what it is a backup of.
local backup = require "backup"

-- What an input is for; a backup of another kind has no use for it.
local belongs = {
  database = "logical", table = "logical", path = "files", only = "files",
  cluster = "physical", folder = "physical", time = "physical", before_xid = "physical", point = "physical",
}
local called = { logical = "a dump of one database", files = "a backup of files", physical = "a copy of a cluster" }

return runbook {
  title = "Restore a backup",
  input = {
    id = { doc = "Backup to restore", example = "20260228T030000Z-0a1b2c3d" },
    host = { doc = "Server to restore on", optional = true },
    database = { doc = "Name that the database gets", optional = true },
    table = { doc = "Only this table, under another name", optional = true },
    path = { doc = "Folder to restore a backup of files to", optional = true },
    only = { doc = "Only this folder of a backup of files", optional = true },
    cluster = { doc = "Name of the cluster on the host, when there are several", optional = true },
    folder = { doc = "Empty folder of this machine to lay a cluster down in", optional = true },
    time = { doc = "Moment to bring a cluster to", optional = true },
    before_xid = { doc = "Transaction to bring a cluster to just before", optional = true },
    point = { doc = "Restore point to bring a cluster to", optional = true },
    replace = { doc = "Whether what is there may be replaced", default = "false" },
    delete = { doc = "Whether files that the backup does not have are removed", default = "false" },
    jobs = { doc = "How many tables and indexes are built at once", default = "2" },
    within = { doc = "How long it may take", default = "4h" },
  },

  run = function(input)
    local kind = step("See what the backup is", function()
      local found = backup.find { id = input.id }
      if found.kind == "" then
        error(found.id .. " cannot be restored: " .. (found.damaged or "it is of no known kind") ..
          ". Take another one: drhost backup list shows them", 0)
      end
      for name, of in pairs(belongs) do
        if input[name] and of ~= found.kind then
          error(found.id .. " is " .. called[found.kind] .. "; --" .. name:gsub("_", "-") .. " is for " .. called[of] ..
            ". drhost backup list shows the others", 0)
        end
      end
      if found.kind == "logical" and not input.host then
        error(found.id .. " is a dump of one database: --host says on which server it is restored", 0)
      end
      if found.kind == "files" and not input.path then
        error(found.id .. " is a backup of files: --path says where they are restored", 0)
      end
      if input.before_xid and not input.before_xid:match("^%d+$") then
        error("--before-xid " .. input.before_xid .. " is no transaction's number", 0)
      end
      return found.kind
    end)
    local back = step("Restore it", function()
      if kind == "physical" then
        return backup.restore_cluster { id = input.id, host = input.host, folder = input.folder, cluster = input.cluster,
          time = input.time, before_xid = tonumber(input.before_xid), point = input.point, within = input.within }
      end
      if kind == "files" then
        return backup.restore_files { id = input.id, host = input.host, path = input.path, only = input.only,
          replace = input.replace == "true", delete = input.delete == "true", within = input.within }
      end
      return backup.restore { id = input.id, host = input.host, database = input.database, table = input.table,
        jobs = tonumber(input.jobs) or 2, replace = input.replace == "true", within = input.within }
    end)
    if kind == "physical" and input.folder then
      return finish("The cluster lies in " .. back.folder .. ", its data of " .. back.data_until ..
        ". No server was started: give the folder to PostgreSQL's user, and pg_ctl -D it start")
    end
    return finish("The backup " .. input.id .. " is back; its data is of " .. back.data_until)
  end,
}
