--- drhost backup prune --dry-run: say what no rule keeps.
local backup = require "backup"

return runbook {
  title = "Say which backups no rule keeps",
  input = {
    database = { doc = "Only backups of this database, cluster or folder", optional = true },
    within = { doc = "How long it may take", default = "1h" },
  },

  run = function(input)
    local gone = step("Hold the repository against the rules", function()
      return backup.retention { database = input.database, within = input.within }
    end)
    return finish(#gone.deleted .. " backups would be deleted, " .. #gone.kept .. " stay")
  end,
}
