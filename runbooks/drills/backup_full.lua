--- A full backup on an ordinary day: the dump, the application's files, and a trial restore of the dump.
local backup = require "backup"

return drill {
  title = "Backup: everything of a server, proven by a trial restore",
  runbook = "../backup_hetzner.lua",
  world = "../worlds/staging.toml",
  speed = 60,
  every = "monthly",
  input = { operation = "full", server = "hobby-1", updates = "none" },

  expect = function(world, run)
    expect("the run is done", run.result == "done")

    local dump = backup.newest { database = "webhost_prod", label = "hobby-1", verified = true }
    expect("the dump was restored and compared", dump.rows >= 2200)
    local truth = world:truth { server = "hobby-1" }
    expect("and was made while customers worked", truth.count > 2000)
    local files = backup.newest { database = "hobby-1-files", kind = "files" }
    expect("the files are in the repository", files.bytes > 0)
    local contacts = backup.contacts { database = "webhost_prod" }
    expect("it is known whom the loss of the database would concern", contacts.count >= 3)
    for _, one in ipairs(backup.status {}) do
      expect("nothing of " .. one.database .. " is damaged", one.damaged == 0)
    end
  end,
}
