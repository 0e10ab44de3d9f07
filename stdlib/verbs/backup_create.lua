--- drhost backup create: one backup of a database, a cluster or a folder.
local backup = require "backup"

return runbook {
  title = "Make a backup",
  input = {
    kind = { doc = "What is backed up", default = "logical", choices = { "logical", "physical", "files" } },
    host = { doc = "Server it is on", optional = true },
    database = { doc = "Database to dump", optional = true },
    cluster = { doc = "What the backups of the cluster are called", optional = true },
    path = { doc = "Folder to back up", optional = true },
    name = { doc = "What the backups of the folder are called", optional = true },
    label = { doc = "What to call this one", optional = true },
    full = { doc = "Whether a folder is stored whole", default = "false" },
    within = { doc = "How long it may take", default = "4h" },
  },

  run = function(input)
    local made = step("Make the backup", function()
      if input.kind == "physical" then
        return backup.create_cluster { host = input.host or "", cluster = input.cluster or "", label = input.label, within = input.within }
      end
      if input.kind == "files" then
        return backup.create { kind = "files", host = input.host, path = input.path, name = input.name, label = input.label,
          full = input.full == "true", within = input.within }
      end
      return backup.create { host = input.host, database = input.database, label = input.label, within = input.within }
    end)
    return finish("The backup " .. made.id .. " of " .. made.database .. " is in the repository")
  end,
}
