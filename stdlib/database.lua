--- A Postgres cluster at Fly.io: how it is, what is wrong, and whether its data is whole.
local fly, pg = require "fly", require "pg"

local database = {}

--- How a cluster is, in one sentence, with what is wrong and the usual cause of it.
function database.says(cluster)
  if cluster.healthy and #cluster.problems == 0 then
    return cluster.app .. " is well: its primary takes writes, " .. cluster.replicas .. " of its replicas answer"
  end
  local words = {}
  for _, problem in ipairs(cluster.problems) do
    table.insert(words, problem.text .. " (usually: " .. problem.cause .. ")")
  end
  return cluster.app .. (cluster.healthy and " takes writes, but " or " takes no writes: ") .. table.concat(words, "; ")
end

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
  for _, backup in ipairs(fly.pg_backups { app = app }) do
    if backup.status == "DONE" then return backup end
  end
  return nil
end

--- The private address of a cluster's primary, for pg and for an application.
function database.host(app)
  return app .. ".flycast"
end

--- The address that an application gets as DATABASE_URL; {password} is filled in by fly.secrets_set.
function database.url(app, name)
  return "postgres://postgres:{password}@" .. database.host(app) .. ":5432/" .. name
end

--- Sees that the data is whole: the server takes writes, nothing in it is damaged, there are rows in each of the tables; and notes how new the newest row is.
function database.verify(app, name, tables, newest)
  local host = database.host(app)
  local status = pg.status { host = host }
  expect(app .. " is a primary and takes writes", not status.replica and not status.read_only)
  local whole = pg.integrity { host = host, database = name }
  for _, damage in ipairs(whole.damages) do note(damage) end
  expect("keys, sequences, indexes and constraints are whole", whole.ok)
  for _, title in ipairs(tables) do
    expect("there are " .. title, (whole.tables[title] or 0) > 0)
  end
  local last = pg.newest { host = host, database = name, table = newest }
  note("The newest row that is there is of " .. last.at, { rpo_until = last.at, rows = whole.tables })
  return { rows = whole.tables, newest = last.at }
end

--- Asks what the application asks every day, and expects an answer to each question.
function database.smoke(app, name)
  for _, question in ipairs {
    { title = "a customer can be looked up", sql = "select count(*) as n from (select * from customers order by id limit 1) one" },
    { title = "the newest updates can be read", sql = "select count(*) as n from (select * from sync_updates order by created_at desc limit 10) newest" },
    { title = "the updates of a customer can be read", sql = "select count(*) as n from customers c join sync_updates u on u.customer_id = c.id limit 1" },
  } do
    local rows = pg.query { host = database.host(app), database = name, sql = question.sql }
    expect(question.title, rows[1].n > 0)
  end
end

return database
