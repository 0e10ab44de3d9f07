--- drhost backup restore: bring a backup back, by what it is a backup of.
local backup = require "backup"

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
    if input.before_xid and not input.before_xid:match("^%d+$") then
      error("--before-xid " .. input.before_xid .. " is no transaction's number", 0)
    end
    local back = step("Restore it", function()
      return backup.restore {
        id = input.id, host = input.host, replace = input.replace == "true", within = input.within,
        database = input.database, table = input.table, jobs = tonumber(input.jobs) or 2,
        path = input.path, only = input.only, delete = input.delete == "true",
        folder = input.folder, cluster = input.cluster, time = input.time, before_xid = tonumber(input.before_xid), point = input.point,
      }
    end)
    if back.kind == "physical" and input.folder then
      return finish("The cluster lies in " .. back.folder .. ", its data of " .. back.data_until ..
        ". No server was started: give the folder to PostgreSQL's user, and pg_ctl -D it start")
    end
    return finish("The backup " .. input.id .. " is back; its data is of " .. back.data_until)
  end,
}
