--- drhost backup contacts: whom a database's loss concerns, with the database gone.
local backup = require "backup"

return runbook {
  title = "List the customers of a backup",
  input = {
    id = { doc = "Backup whose list it is; the newest of the database when not given", optional = true },
    database = { doc = "Database whose newest backup it is", optional = true },
  },

  run = function(input)
    local found = step("Read the list", function()
      return backup.contacts { id = input.id, database = input.database }
    end)
    return finish(#found.rows .. " customers, as of " .. found.data_until)
  end,
}
