--- A Postgres cluster at Fly.io: how it is, what is wrong, and whether its data is whole.
local fly, pg = require "fly", require "pg"

local database = {}

--- The last errors that the machines of an app have logged, as notes; since is how far back.
function database.note_errors(app, since)
  for _, line in ipairs(fly.logs { app = app, since = since, contains = "error", limit = 5 }) do
    note(line.machine .. " (" .. line.region .. "): " .. line.text)
  end
end

--- Whether the cluster takes writes within the time given.
function database.well_within(time, app)
  return eventually(time, { every = "15s" }, function()
    return fly.pg_status { app = app }.healthy
  end)
end

--- The newest complete backup of a cluster; nil when there is none.
function database.newest_backup(app)
  return fly.pg_backups { app = app, whole = true }[1]
end

--- The private address of a cluster's primary, for pg and for an application.
function database.host(app)
  return app .. ".flycast"
end

--- The address that an application gets as DATABASE_URL; {password} is filled in by fly.secrets_set.
function database.url(app, name)
  return "postgres://postgres:{password}@" .. database.host(app) .. ":5432/" .. name
end

--- Sees that the data is whole: the server takes writes, there are rows in each of the tables, nothing in it is damaged; and notes how new the newest row is.
function database.verify(app, name, tables, newest)
  local host = database.host(app)
  local questions = { { name = "it is a primary and takes writes", equals = true,
    sql = "select not pg_is_in_recovery() and current_setting('default_transaction_read_only') = 'off'" } }
  for _, title in ipairs(tables) do
    table.insert(questions, { name = "there are " .. title, sql = "select 1 from " .. title .. " limit 1" })
  end
  local asked = pg.smoke { host = host, database = name, queries = questions }
  expect(app .. " takes writes and its data is there (" .. asked.says .. ")", asked.ok)
  local whole = pg.integrity { host = host, database = name }
  expect("keys, sequences, indexes and constraints are whole (" .. whole.says .. ")", whole.ok)
  local last = pg.newest { host = host, database = name, table = newest }
  note("The newest row that is there is of " .. last.at, { rpo_until = last.at, rows = whole.tables })
  return { rows = whole.tables, newest = last.at }
end

--- Asks what the application asks every day, and expects an answer to each question.
function database.smoke(app, name)
  local asked = pg.smoke { host = database.host(app), database = name, queries = {
    { name = "a customer can be looked up", sql = "select * from customers order by id limit 1" },
    { name = "the newest updates can be read", sql = "select * from sync_updates order by created_at desc limit 10" },
    { name = "the updates of a customer can be read", sql = "select 1 from customers c join sync_updates u on u.customer_id = c.id limit 1" },
  } }
  expect("the application's questions are answered (" .. asked.says .. ")", asked.ok)
end

return database
