package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// entry is a transaction that a writer made: two accounts and one line in the
// ledger. A server that has acknowledged it has no excuse.
type entry struct {
	writer, number int
	from, to       int
	amount         int64
	note           string
	xid            int64
	begun, acked   time.Time
}

// writers never stop until the server is gone.
type writers struct {
	mu      sync.Mutex
	acked   []entry
	sent    map[[2]int]entry // all of them, acknowledged or not
	working sync.WaitGroup
}

const (
	writerCount  = 4
	accountCount = 1000
)

// ledger makes what the writers write into.
func ledger(ctx context.Context, c *cluster) error {
	return c.sql(ctx, benchDatabase, fmt.Sprintf(`create table accounts (id int primary key, balance bigint not null);
		insert into accounts select n, 0 from generate_series(0, %d) n;
		create table ledger (writer int, number int, debited int not null references accounts, credited int not null references accounts, amount bigint not null, note text not null, xid bigint not null, primary key (writer, number))`,
		accountCount-1))
}

// startWriters lets them begin, each on a connection of its own.
func startWriters(ctx context.Context, g *ground, c *cluster) (*writers, error) {
	w := &writers{sent: map[[2]int]entry{}}
	for n := range writerCount {
		conn, err := c.connect(ctx, benchDatabase)
		if err != nil {
			return nil, err
		}
		w.working.Go(func() { w.write(ctx, g, conn, n) })
	}
	return w, nil
}

func (w *writers) write(ctx context.Context, g *ground, conn *pgx.Conn, writer int) {
	defer conn.Close(context.Background())
	for number := 0; ; number++ {
		// One order of the accounts, so that no two writers wait for each other.
		from := (number*7 + writer*131) % (accountCount - 1)
		e := entry{writer: writer, number: number, from: from, to: from + 1 + number%(accountCount-1-from), amount: int64(number%97 + 1),
			note: fmt.Sprintf("entry %d of writer %d", number, writer), begun: g.b.clock.Now()}
		w.mu.Lock()
		w.sent[[2]int{writer, number}] = e
		w.mu.Unlock()
		err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, "update accounts set balance = balance - $2 where id = $1", e.from, e.amount); err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, "update accounts set balance = balance + $2 where id = $1", e.to, e.amount); err != nil {
				return err
			}
			return tx.QueryRow(ctx, "insert into ledger values ($1, $2, $3, $4, $5, $6, pg_current_xact_id()::text::bigint) returning xid",
				e.writer, e.number, e.from, e.to, e.amount, e.note).Scan(&e.xid)
		})
		if err != nil {
			return // the server is gone; what was sent last may have come through
		}
		e.acked = g.b.clock.Now()
		w.mu.Lock()
		w.acked = append(w.acked, e)
		w.mu.Unlock()
	}
}

func (w *writers) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.acked)
}

// found reads every line of a restored ledger.
func found(ctx context.Context, c *cluster, database string) (map[[2]int]entry, error) {
	conn, err := c.connect(ctx, database)
	if err != nil {
		return nil, err
	}
	defer conn.Close(context.Background())
	rows, err := conn.Query(ctx, "select writer, number, debited, credited, amount, note, xid from ledger")
	if err != nil {
		return nil, err
	}
	out := map[[2]int]entry{}
	_, err = pgx.CollectRows(rows, func(r pgx.CollectableRow) (e entry, err error) {
		err = r.Scan(&e.writer, &e.number, &e.from, &e.to, &e.amount, &e.note, &e.xid)
		out[[2]int{e.writer, e.number}] = e
		return e, err
	})
	return out, err
}

// genuine holds every line against what was sent, and the accounts against the
// lines.
func (w *writers) genuine(ctx context.Context, c *cluster, database string, have map[[2]int]entry) error {
	if err := w.written(have); err != nil {
		return err
	}
	wrong, err := c.value(ctx, database, `select count(*) from accounts a left join (select id, sum(d) as d from (select debited as id, -amount as d from ledger union all select credited, amount from ledger) x group by id) l using (id)
		where a.balance <> coalesce(l.d, 0)`)
	if err == nil && wrong != "0" {
		err = fmt.Errorf("%s accounts are not what their lines add up to", wrong)
	}
	return err
}

// written tells whether every line was sent like this, and none is missing
// before another of the same writer.
func (w *writers) written(have map[[2]int]entry) error {
	most := [writerCount]int{}
	for key, e := range have {
		sent, ok := w.sent[key]
		if !ok || sent.from != e.from || sent.to != e.to || sent.amount != e.amount || sent.note != e.note {
			return fmt.Errorf("line %d of writer %d was never written like this: %+v", e.number, e.writer, e)
		}
		most[e.writer] = max(most[e.writer], e.number+1)
	}
	sum := 0
	for _, n := range most {
		sum += n
	}
	if sum != len(have) {
		return fmt.Errorf("%d lines came back, and the last numbers say %d: one is missing in the middle", len(have), sum)
	}
	return nil
}

// lost are the acknowledged transactions that are not there, and how long
// before the crash the earliest of them was acknowledged.
func (w *writers) lost(have map[[2]int]entry, crash time.Time) (count int, age time.Duration) {
	for _, e := range w.acked {
		if got, ok := have[[2]int{e.writer, e.number}]; !ok || got.xid != e.xid {
			count, age = count+1, max(age, crash.Sub(e.acked))
		}
	}
	return count, age
}

// justBefore checks that all is there that had been acknowledged before the
// transaction began, and neither it nor anything that began after it had been
// acknowledged.
func (w *writers) justBefore(have map[[2]int]entry, x entry) error {
	before, after := 0, 0
	for _, e := range w.acked {
		_, there := have[[2]int{e.writer, e.number}]
		switch {
		case e.xid == x.xid && there:
			return errors.New("the transaction itself is there")
		case e.acked.Before(x.begun) && !there:
			return fmt.Errorf("line %d of writer %d had been acknowledged %s before, and is not there", e.number, e.writer, x.begun.Sub(e.acked))
		case e.begun.After(x.acked) && there:
			return fmt.Errorf("line %d of writer %d began %s later, and is there", e.number, e.writer, e.begun.Sub(x.acked))
		case e.acked.Before(x.begun):
			before++
		case e.begun.After(x.acked):
			after++
		}
	}
	// What overlaps may be on either side; it is one transaction per writer.
	if rest := len(w.acked) - before - after; rest > 2*writerCount || len(have) < before {
		return fmt.Errorf("of %d lines %d come before and %d after: that judges nothing", len(w.acked), before, after)
	}
	return nil
}
