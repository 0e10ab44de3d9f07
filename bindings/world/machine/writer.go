package machine

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/webhost-systems/drhost/host/clock"
)

// Writer is the life of an application's customers: it keeps inserting rows
// stamped with the time, and knows which of them were committed.
type Writer struct {
	connect func(context.Context) (*pgx.Conn, error)
	clock   clock.Clock
	every   time.Duration

	mu    sync.Mutex
	truth Truth
}

// Truth is what the writer knows; a backup is measured against it.
type Truth struct {
	Count         int64     `json:"count"`          // committed rows of sync_updates, seeds included
	Customers     int64     `json:"customers"`      // committed rows of customers, seeds included
	LastCommitted time.Time `json:"last_committed"` // stamp of the newest committed row
	// FaultAt is when the first fault hit the machine; zero before. At that
	// moment CountAtFault rows were committed, the newest from LastBeforeFault.
	FaultAt         time.Time `json:"fault_at,omitzero"`
	CountAtFault    int64     `json:"count_at_fault,omitzero"`
	LastBeforeFault time.Time `json:"last_before_fault,omitzero"`
}

// Seeds is how much data a machine's database starts with.
type Seeds struct{ Customers, Updates int }

// Seed makes the application's tables and fills them, stamped over the days
// before now. The machine must be up. Deterministic but for the time.
func (m *Machine) Seed(ctx context.Context, s Seeds) error {
	conn, err := m.connectReady(ctx)
	if err != nil {
		return fmt.Errorf("seed %s: %w", m.spec.Name, err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, Schema); err != nil {
		return fmt.Errorf("seed %s: make the tables: %w", m.spec.Name, err)
	}
	now := m.rack.opt.Clock.Now()
	_, err = conn.CopyFrom(ctx, pgx.Identifier{"customers"}, []string{"name", "email", "plan", "created_at"},
		pgx.CopyFromSlice(s.Customers, func(i int) ([]any, error) {
			return customerRow(i+1, now.Add(-time.Duration(s.Customers-i)*time.Hour)), nil
		}))
	if err == nil && s.Customers > 0 {
		_, err = conn.CopyFrom(ctx, pgx.Identifier{"sync_updates"}, []string{"customer_id", "payload", "created_at"},
			pgx.CopyFromSlice(s.Updates, func(i int) ([]any, error) {
				return updateRow(i, s.Customers, now.Add(-time.Duration(s.Updates-i)*time.Minute)), nil
			}))
	}
	if err != nil {
		return fmt.Errorf("seed %s: %w", m.spec.Name, err)
	}
	return nil
}

// connectReady waits for a database that is still starting.
func (m *Machine) connectReady(ctx context.Context) (*pgx.Conn, error) {
	for {
		conn, err := m.connect(ctx, Database)
		if err == nil {
			return conn, nil
		}
		if g := m.life(); g == nil || g.cluster() == nil || !g.cluster().running() {
			return nil, fmt.Errorf("the database is down: %w", err)
		}
		if (clock.System{}).Sleep(ctx, 10*time.Millisecond) != nil {
			return nil, err
		}
	}
}

func customerRow(n int, at time.Time) []any {
	plans := []string{"hobby", "hobby", "hobby", "pro", "business"}
	return []any{fmt.Sprintf("Customer %d", n), fmt.Sprintf("customer%d@example.com", n), plans[n%len(plans)], at}
}

func updateRow(n, customers int, at time.Time) []any {
	return []any{int64(n%customers) + 1, map[string]any{"site": fmt.Sprintf("site-%d", n%97), "revision": n, "files": n % 13}, at}
}

// StartWriter lets customers work on the machine's database, one row every so
// often, in this life of the guest and in later ones.
func (m *Machine) StartWriter(every time.Duration) *Writer {
	w := NewWriter(func(ctx context.Context) (*pgx.Conn, error) { return m.connect(ctx, Database) }, m.rack.opt.Clock, every)
	m.mu.Lock()
	m.writer = w
	g := m.guest
	m.mu.Unlock()
	if g != nil && g.state() == Up {
		go w.Run(g.work)
	}
	return w
}

// NewWriter makes a writer that works on whatever connect reaches, once it
// runs.
func NewWriter(connect func(context.Context) (*pgx.Conn, error), c clock.Clock, every time.Duration) *Writer {
	return &Writer{connect: connect, clock: c, every: every}
}

// Truth returns what is known now.
func (w *Writer) Truth() Truth {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.truth
}

// Fault notes that a fault hits the machine now. Only the first counts.
func (w *Writer) Fault(at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.truth.FaultAt.IsZero() {
		w.truth.FaultAt, w.truth.CountAtFault, w.truth.LastBeforeFault = at, w.truth.Count, w.truth.LastCommitted
	}
}

// Run writes until ctx ends; while the database is away it tries again, as
// customers do.
func (w *Writer) Run(ctx context.Context) {
	for ctx.Err() == nil {
		if conn, err := w.connect(ctx); err == nil {
			w.write(ctx, conn)
			end, cancel := context.WithTimeout(context.Background(), time.Second)
			_ = conn.Close(end) // it is of no more use either way
			cancel()
		}
		_ = w.pause(ctx)
	}
}

// pause waits in real time: customers do not work faster in a drill.
func (w *Writer) pause(ctx context.Context) error { return clock.System{}.Sleep(ctx, w.every) }

func (w *Writer) write(ctx context.Context, conn *pgx.Conn) {
	if !w.recount(ctx, conn) {
		return
	}
	for i := 0; w.pause(ctx) == nil; i++ {
		truth := w.Truth()
		at := w.clock.Now().UTC().Truncate(time.Microsecond) // what the database keeps
		if i%40 == 39 {
			if _, err := conn.Exec(ctx, `INSERT INTO customers (name, email, plan, created_at) VALUES ($1, $2, $3, $4)`,
				customerRow(int(truth.Customers)+1, at)...); err != nil {
				return
			}
			w.note(func(t *Truth) { t.Customers++ })
		}
		if _, err := conn.Exec(ctx, `INSERT INTO sync_updates (customer_id, payload, created_at) VALUES ($1, $2, $3)`,
			updateRow(int(truth.Count), max(int(truth.Customers), 1), at)...); err != nil {
			return
		}
		w.note(func(t *Truth) { t.Count, t.LastCommitted = t.Count+1, at })
	}
}

// recount takes the numbers from the database: a row whose commit was not
// answered may or may not be there.
func (w *Writer) recount(ctx context.Context, conn *pgx.Conn) bool {
	var customers, updates int64
	var newest *time.Time
	err := conn.QueryRow(ctx, `SELECT (SELECT count(*) FROM customers), (SELECT count(*) FROM sync_updates),
		(SELECT max(created_at) FROM sync_updates)`).Scan(&customers, &updates, &newest)
	if err != nil {
		return false
	}
	w.note(func(t *Truth) {
		t.Customers, t.Count = customers, updates
		if newest != nil {
			t.LastCommitted = newest.UTC()
		}
	})
	return true
}

func (w *Writer) note(change func(*Truth)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change(&w.truth)
}
