--- drhost backup restore: bring a backup back.
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
    replace = { doc = "Whether what is there may be replaced", default = "false" },
    delete = { doc = "Whether files that the backup does not have are removed", default = "false" },
    jobs = { doc = "How many tables and indexes are built at once", default = "2" },
    within = { doc = "How long it may take", default = "4h" },
  },

  run = function(input)
    local back = step("Restore it", function()
      if input.path then
        return backup.restore_files { id = input.id, host = input.host, path = input.path, only = input.only,
          replace = input.replace == "true", delete = input.delete == "true", within = input.within }
      end
      return backup.restore { id = input.id, host = input.host or "", database = input.database, table = input.table,
        jobs = tonumber(input.jobs) or 2, replace = input.replace == "true", within = input.within }
    end)
    return finish("The backup " .. input.id .. " is back; its data is of " .. back.data_until)
  end,
}
