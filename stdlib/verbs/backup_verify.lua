--- drhost backup verify: whether a backup would come back.
local backup = require "backup"

return runbook {
  title = "Verify a backup",
  input = {
    id = { doc = "Backup to verify; the newest of the database when not given", optional = true },
    database = { doc = "Database, cluster or folder whose newest backup it is", optional = true },
    depth = { doc = "How deep", optional = true, choices = { "sums", "read", "restore" } },
    within = { doc = "How long it may take", default = "4h" },
  },

  run = function(input)
    local id = step("Choose the backup", function()
      if input.id then return input.id end
      return backup.newest { database = input.database or "", kind = "any" }.id
    end)
    local found = step("Verify it", function()
      return backup.verify { id = id, depth = input.depth, within = input.within }
    end)
    return finish("The backup " .. found.id .. " is good, as far as depth \"" .. found.depth .. "\" tells")
  end,
}
