package torture

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/webhost-systems/drhost/bindings/world"
	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/network"
)

// databases says what a server's databases hold. Of tables that customers
// write to it says the rows that were there from the start.
func (t *trial) databases(ctx context.Context, name, address string, add func(string, ...any)) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	var conn *pgx.Conn
	// One that is starting, or recovering from a power cut, answers soon.
	err := clock.Poll(ctx, clock.System{}, 25*time.Second, 100*time.Millisecond, func(ctx context.Context) (bool, error) {
		var err error
		conn, err = t.connect(ctx, address, "postgres")
		return err == nil, nil
	})
	if err != nil {
		add("database %s: silent", name)
		return nil
	}
	defer conn.Close(ctx)
	names, err := list(ctx, conn, "select datname from pg_database where not datistemplate and datname <> 'postgres' order by 1")
	if err != nil {
		return err
	}
	for _, database := range names {
		if err := t.tables(ctx, name, address, database, add); err != nil {
			return fmt.Errorf("%s: %w", database, err)
		}
	}
	return nil
}

// hasCluster tells whether there is a PostgreSQL on a machine's disk.
func (t *trial) hasCluster(id int64) bool {
	_, err := os.Stat(filepath.Join(t.folder(), "rack", "machines", fmt.Sprint(id), "var", "lib", "postgresql"))
	return err == nil
}

func (t *trial) tables(ctx context.Context, server, address, database string, add func(string, ...any)) error {
	conn, err := t.connect(ctx, address, database)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	tables, err := list(ctx, conn, "select tablename from pg_tables where schemaname = 'public' order by 1")
	if err != nil {
		return err
	}
	for _, table := range tables {
		columns, err := list(ctx, conn, "select column_name from information_schema.columns where table_schema = 'public' and table_name = $1 "+
			"and data_type not like 'timestamp%' order by ordinal_position", table)
		if err != nil {
			return err
		}
		var rows int
		if err := conn.QueryRow(ctx, "select count(*) from "+pgx.Identifier{table}.Sanitize()).Scan(&rows); err != nil {
			return err
		}
		from, said, err := t.beginning(server, table, rows)
		if err != nil {
			return err
		}
		for n, c := range columns {
			columns[n] = pgx.Identifier{c}.Sanitize()
		}
		var sum string
		err = conn.QueryRow(ctx, fmt.Sprintf("select coalesce(md5(string_agg(t::text, e'\\n')), '') from (select %s from %s order by 1 limit %d) t",
			strings.Join(columns, ", "), pgx.Identifier{table}.Sanitize(), from)).Scan(&sum)
		if err != nil {
			return err
		}
		add("database %s/%s/%s: %s, %s", server, database, table, said, sum)
	}
	return nil
}

// beginning is how many rows of a table were there before customers wrote, and
// what is to be said of those that are there.
func (t *trial) beginning(server, table string, rows int) (int, string, error) {
	spec, err := world.Load(t.stage.Drill.World)
	if err != nil {
		return 0, "", err
	}
	var seeds []int
	for _, s := range spec.Servers {
		n := map[string]int{"customers": s.Customers, "sync_updates": s.Updates}[table]
		if s.Name == server && !s.Live && n > 0 {
			return rows, fmt.Sprintf("%d rows", rows), nil
		}
		if n > 0 && n <= rows {
			seeds = append(seeds, n)
		}
	}
	for _, p := range spec.Postgres {
		if n := map[string]int{"customers": p.Customers, "sync_updates": p.Updates}[table]; n > 0 && n <= rows {
			seeds = append(seeds, n)
		}
	}
	if len(seeds) == 0 {
		return rows, fmt.Sprintf("%d rows", rows), nil
	}
	most := slices.Max(seeds)
	return most, fmt.Sprintf("%d rows and those of customers", most), nil
}

func (t *trial) connect(ctx context.Context, address, database string) (*pgx.Conn, error) {
	config, err := pgx.ParseConfig("sslmode=disable")
	if err != nil {
		return nil, err
	}
	w := t.stage.Sim.World
	wires := network.Switchboard(w.Switchboard, w.Resolvers(), clock.System{})
	config.Host, config.Port, config.Database = address, 5432, database
	config.User, config.Password = t.setting("pg", "user"), t.setting("pg", "password")
	config.DialFunc = func(ctx context.Context, kind, address string) (net.Conn, error) {
		return wires.Dial(ctx, kind, address)
	}
	config.LookupFunc = func(_ context.Context, host string) ([]string, error) { return []string{host}, nil }
	return pgx.ConnectConfig(ctx, config)
}

func list(ctx context.Context, conn *pgx.Conn, query string, args ...any) ([]string, error) {
	rows, err := conn.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}
