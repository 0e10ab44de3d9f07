package pg

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

type statusArgs struct {
	Host        string        `lua:"host" doc:"Name or address of the server, with :port when it is not the configured one."`
	Pinned      int64         `lua:"pinned" default:"268435456" doc:"Bytes of write-ahead log from which on an unused slot counts as a problem."`
	Transaction time.Duration `lua:"transaction" default:"15m" doc:"Age from which on a transaction counts as a problem."`
}

// Status is how a server is.
type Status struct {
	Replica     bool             `lua:"replica" doc:"Whether it is a replica."`
	ReadOnly    bool             `lua:"read_only" doc:"Whether new transactions may not write."`
	Connections int64            `lua:"connections" doc:"Sessions of clients."`
	Most        int64            `lua:"max_connections" doc:"How many there may be."`
	Replicas    []Follower       `lua:"replicas" doc:"Replicas that are connected now."`
	Slots       []Slot           `lua:"slots" doc:"Replication slots."`
	Long        []Transaction    `lua:"long_transactions" doc:"Transactions older than asked, the oldest first."`
	Sizes       map[string]int64 `lua:"sizes" doc:"Bytes by database."`
	Problems    []Problem        `lua:"problems" doc:"What is wrong, each with its usual cause and the way out."`
}

// Follower is a replica as its primary sees it.
type Follower struct {
	Name    string `lua:"name" doc:"What it calls itself."`
	Address string `lua:"address,optional" doc:"Where it connects from."`
	State   string `lua:"state" doc:"streaming, catchup, startup or backup."`
	Behind  int64  `lua:"behind" doc:"Bytes that it has not replayed."`
}

// Slot keeps write-ahead log for a replica.
type Slot struct {
	Name   string `lua:"name" doc:"Its name."`
	Active bool   `lua:"active" doc:"Whether somebody reads it."`
	Pinned int64  `lua:"pinned" doc:"Bytes of write-ahead log that it keeps from being deleted."`
}

// Transaction is one that is open for long.
type Transaction struct {
	PID      int64         `lua:"pid" doc:"Process of its session."`
	Database string        `lua:"database" doc:"Where."`
	State    string        `lua:"state" doc:"active, idle in transaction, ..."`
	Age      time.Duration `lua:"age" doc:"How long it is open."`
}

// Problem is something wrong with a server.
type Problem struct {
	What   string `lua:"what" doc:"slot, connections, transaction, read_only or behind."`
	Text   string `lua:"text" doc:"What is wrong."`
	Cause  string `lua:"cause" doc:"Its usual cause."`
	WayOut string `lua:"way_out" doc:"What to do."`
}

var status = binding.Func[*Client, statusArgs, Status]{
	Name: "status", Effect: binding.Reads,
	Doc: "How a server is: role, connections, replicas and how far they are behind, slots that keep the write-ahead log, long transactions, sizes, and what is " +
		"wrong with it, each with its usual cause and the way out.",
	Raises:  []fault.Kind{fault.Denied, fault.Unavailable, fault.Timeout},
	Example: `pg.status { host = "203.0.113.10" }`,
	Target:  "host",
	Call:    (*Client).status,
}

// position is how far a server's log goes, on a primary and on a replica.
const position = `(case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_lsn() end)`

func (c *Client) status(ctx context.Context, a statusArgs) (Status, error) {
	out := Status{Replicas: []Follower{}, Slots: []Slot{}, Long: []Transaction{}, Sizes: map[string]int64{}, Problems: []Problem{}}
	err := c.reading(ctx, a.Host, "", quick, func(ctx context.Context, tx pgx.Tx) error {
		err := tx.QueryRow(ctx, `select pg_is_in_recovery(), reset_val = 'on', current_setting('max_connections')::int8,
			(select count(*) from pg_stat_activity where backend_type = 'client backend')
			from pg_settings where name = 'default_transaction_read_only'`).Scan(&out.Replica, &out.ReadOnly, &out.Most, &out.Connections)
		if err != nil {
			return err
		}
		for _, one := range []struct {
			sql  string
			args []any
			scan func(pgx.Rows) error
		}{
			{`select application_name, coalesce(host(client_addr), ''), coalesce(state, ''), coalesce(` + position + ` - replay_lsn, 0)::int8 from pg_stat_replication order by 1`, nil, func(r pgx.Rows) error {
				var f Follower
				err := r.Scan(&f.Name, &f.Address, &f.State, &f.Behind)
				out.Replicas = append(out.Replicas, f)
				return err
			}},
			{`select slot_name, active, greatest(coalesce(` + position + ` - restart_lsn, 0), 0)::int8 from pg_replication_slots order by 1`, nil, func(r pgx.Rows) error {
				var s Slot
				err := r.Scan(&s.Name, &s.Active, &s.Pinned)
				out.Slots = append(out.Slots, s)
				return err
			}},
			{`select pid, coalesce(datname, ''), coalesce(state, ''), extract(epoch from clock_timestamp() - xact_start)::float8 from pg_stat_activity
				where backend_type = 'client backend' and pid <> pg_backend_pid() and clock_timestamp() - xact_start > make_interval(secs => $1) order by xact_start`,
				[]any{a.Transaction.Seconds()}, func(r pgx.Rows) error {
					var t Transaction
					var age float64
					err := r.Scan(&t.PID, &t.Database, &t.State, &age)
					t.Age = time.Duration(age * float64(time.Second)).Round(time.Second)
					out.Long = append(out.Long, t)
					return err
				}},
			{`select datname, pg_database_size(oid) from pg_database where not datistemplate and has_database_privilege(oid, 'connect')`, nil, func(r pgx.Rows) error {
				var name string
				var size int64
				err := r.Scan(&name, &size)
				out.Sizes[name] = size
				return err
			}},
		} {
			if err := each(ctx, tx, one.sql, one.args, one.scan); err != nil {
				return err
			}
		}
		return nil
	})
	out.diagnose(a)
	return out, err
}

func each(ctx context.Context, tx pgx.Tx, sql string, args []any, scan func(pgx.Rows) error) error {
	rows, err := tx.Query(ctx, sql, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// diagnose names what is wrong.
func (s *Status) diagnose(a statusArgs) {
	add := func(what, text, cause, way string) { s.Problems = append(s.Problems, Problem{what, text, cause, way}) }
	for _, slot := range s.Slots {
		if !slot.Active && slot.Pinned >= a.Pinned {
			add("slot", fmt.Sprintf("slot %s is not read and keeps %d MiB of write-ahead log", slot.Name, slot.Pinned>>20),
				"its replica is gone: nothing is deleted before it is read, until the disk is full",
				fmt.Sprintf("when that replica will not come back: pg.execute with select pg_drop_replication_slot('%s')", slot.Name))
		}
	}
	if s.Most > 0 && s.Connections*10 >= s.Most*9 {
		add("connections", fmt.Sprintf("%d of %d connections are taken", s.Connections, s.Most),
			"an application that does not give connections back, or more of its machines than there were", "restart the application, or pg.terminate_connections")
	}
	for _, t := range s.Long {
		add("transaction", fmt.Sprintf("process %d has a transaction open in %s for %s (%s)", t.PID, t.Database, t.Age, t.State),
			"a client that died without saying so, or a forgotten session", fmt.Sprintf("pg.execute with select pg_terminate_backend(%d); until then rows it might see cannot be cleaned up", t.PID))
	}
	if s.ReadOnly && !s.Replica {
		add("read_only", "the primary takes no writes", "it was fenced for lack of a quorum, or because its disk is nearly full", "free the disk or bring the other nodes back; fly.pg_status tells more of a cluster at Fly.io")
	}
	for _, f := range s.Replicas {
		if f.Behind >= a.Pinned {
			add("behind", fmt.Sprintf("replica %s is %d MiB behind (%s)", f.Name, f.Behind>>20, f.State), "it is slow, or the network to it is",
				"do not promote it while another one is further; see pg.replication on it")
		}
	}
}
