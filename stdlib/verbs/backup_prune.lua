--- drhost backup prune: delete what no rule keeps.
local backup = require "backup"

return runbook {
  title = "Delete old backups",
  input = {
    database = { doc = "Only backups of this database, cluster or folder", optional = true },
    within = { doc = "How long it may take", default = "1h" },
  },

  run = function(input)
    local gone = step("Delete what no rule keeps", function()
      return backup.prune { database = input.database, within = input.within }
    end)
    return finish(#gone.deleted .. " backups were deleted, " .. #gone.kept .. " stay")
  end,
}
