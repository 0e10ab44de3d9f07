package physical

import (
	"context"
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/webhost-systems/drhost/bindings/backup/postgres"
	"github.com/webhost-systems/drhost/host/fault"
)

// Archiver receives a server's log through a replication slot and ships it
// into a repository for as long as it runs. The slot moves on only with what
// the repository has confirmed, so that nothing is lost with this machine.
type Archiver struct {
	Source
	Log                     // its System is found out
	Slot      string        // made when it is missing
	Spool     string        // folder of this machine
	Limit     int64         // bytes that the spool may hold; the server keeps what is more
	Every     time.Duration // how often the bytes of a segment that is not whole are shipped
	Owner     string        // who this is, for others
	Patience  time.Duration // how long to wait for a slot that somebody else uses
	SlotAlarm int64         // bytes that the server may hold back without an alarm
	Report    func(alarm bool, text string)

	held  atomic.Bool // the server sends its log to this one
	spool *spool
	queue queue
	note  notes
}

// queue is what was received and is not yet shipped, oldest first.
type queue struct {
	mu      sync.Mutex
	waiting []waiting
	wake    chan struct{} // something is to be shipped at once
	size    int64
	line    uint32
	durable postgres.LSN // the repository has everything before
	marks   []sample     // what the server's clients had been told of by then lies before the place
	server  postgres.LSN // where its log ended when it last said so
	until   time.Time    // by the server's clock: what had committed by then is durable in the repository
}

// notes are what the operator was told, so that he is told once.
type notes struct {
	mu     sync.Mutex
	alarms map[string]string // by topic
	gaps   []Gap
}

// pauses are how long to wait after what failed.
const (
	shortestPause = time.Second
	longestPause  = 10 * time.Second
)

// Run archives until ctx ends, or until it is of no use: the settings are
// wrong, or another archiver does it. What was received by then is shipped
// before it returns.
func (a *Archiver) Run(ctx context.Context) error {
	head, err := a.prepare(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	defer a.spool.close()
	shipping, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	done := make(chan struct{})
	leave := make(chan struct{})
	go func() {
		defer close(done)
		a.ship(shipping, leave, head)
	}()
	watching, unwatch := context.WithCancel(ctx)
	var watch sync.WaitGroup
	watch.Go(func() { a.watchSlot(watching) })
	err = a.receiveForever(ctx)
	unwatch()
	watch.Wait()
	close(leave)
	last, stop := context.WithTimeout(shipping, 20*time.Second)
	defer stop()
	select {
	case <-done:
	case <-last.Done():
		cancel()
		<-done
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// prepare finds out which cluster it is, and what is here already. It waits
// for a server that cannot be reached.
func (a *Archiver) prepare(ctx context.Context) (Head, error) {
	a.queue.wake = make(chan struct{}, 1)
	a.note.alarms = map[string]string{}
	pause, began := shortestPause, a.Clock.Now()
	for first := true; ; first = false {
		head, err := a.identify(ctx)
		if err == nil {
			a.quiet("server")
			return head, nil
		}
		busy := errors.Is(err, errBusy)
		if ctx.Err() != nil || busy && a.Clock.Now().Sub(began) >= a.Patience || !busy && hopeless(err) {
			return Head{}, err
		}
		a.alarm("server", "cannot begin: %v", err)
		if first && !busy {
			if err := a.salvage(ctx); err != nil {
				a.alarm("spool", "what is left in the spool %s does not get into the repository: %v", a.Spool, err)
			}
		}
		if err := a.Clock.Sleep(ctx, pause); err != nil {
			return Head{}, err
		}
		pause = min(2*pause, longestPause)
	}
}

// errBusy tells that another archiver is at work.
var errBusy = errors.New("another archiver is at work")

// salvage ships what an earlier process received from a server that does not
// answer any more.
func (a *Archiver) salvage(ctx context.Context) error {
	folders, err := os.ReadDir(a.Spool)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	for _, f := range folders {
		if !f.IsDir() {
			continue
		}
		b := &Archiver{Source: a.Source, Log: a.Log, Every: a.Every, Owner: a.Owner, Report: a.Report}
		b.System = f.Name()
		b.note.alarms = map[string]string{}
		head, err := b.ReadHead(ctx)
		if err != nil {
			return err
		}
		if head == nil || b.lives(*head) {
			continue
		}
		if b.spool, err = openSpool(a.Spool, b.System, head.SegmentSize); err != nil {
			return err
		}
		err = b.load(*head)
		for left := err == nil; left; {
			if left, err = b.shipOnce(ctx, head, false); err != nil {
				left = false
			}
		}
		b.spool.close()
		if err != nil {
			return err
		}
	}
	return err
}

// watchSlot looks every now and then at how much the server holds back.
func (a *Archiver) watchSlot(ctx context.Context) {
	for a.Clock.Sleep(ctx, longestPause) == nil {
		conn, err := a.Way.Connect(ctx, a.Server, "postgres")
		if err != nil {
			continue // the stream tells
		}
		_, _, _ = a.slotState(ctx, conn)
		postgres.CloseQuietly(ctx, conn)
	}
}

// identify asks the server who it is and opens the spool at where the
// repository ends.
func (a *Archiver) identify(ctx context.Context) (Head, error) {
	conn, err := a.Way.Connect(ctx, a.Server, "postgres")
	if err != nil {
		return Head{}, err
	}
	defer postgres.CloseQuietly(ctx, conn)
	var size int64
	if err := conn.QueryRow(ctx, "select system_identifier::text, pg_size_bytes(current_setting('wal_segment_size')) from pg_control_system()").Scan(&a.System, &size); err != nil {
		return Head{}, err
	}
	old, err := a.ReadHead(ctx)
	if err != nil {
		return Head{}, err
	}
	head := Head{System: a.System, SegmentSize: size}
	if old != nil {
		if err := a.alone(ctx, conn, *old); err != nil {
			return Head{}, err
		}
		head = *old
	}
	if head.SegmentSize != size {
		return Head{}, fault.New(fault.Conflict, "the archive of cluster %s has segments of %d bytes, the server writes such of %d", a.System, head.SegmentSize, size)
	}
	if a.spool == nil {
		if a.spool, err = openSpool(a.Spool, a.System, size); err != nil {
			return Head{}, err
		}
	}
	head.Owner, head.Server, head.Slot, head.Stopped, head.Alarms = a.Owner, a.Server.Host, a.Slot, false, nil
	a.note.gaps = head.Gaps
	return head, a.load(head)
}

// alone refuses to write where another archiver is at work: by the server,
// which gives a slot to one at a time, else by the head.
func (a *Archiver) alone(ctx context.Context, conn *pgx.Conn, h Head) error {
	if !a.lives(h) {
		return nil
	}
	if h.Slot == a.Slot && h.Server == a.Server.Host {
		var active bool
		err := conn.QueryRow(ctx, "select coalesce((select active from pg_replication_slots where slot_name = $1), false)", a.Slot).Scan(&active)
		if err != nil || !active {
			return err
		}
		return a.inUse(ctx)
	}
	f := fault.New(fault.Conflict, "%s archives this cluster into the same repository, last %s ago", h.Owner, a.Clock.Now().Sub(h.Updated).Round(time.Second)).
		WithHint("end it first, or wait %s if it has died", (3 * a.beat()).Round(time.Second))
	f.Cause = errBusy
	return f
}

// lives tells whether another archiver wrote the head a moment ago.
func (a *Archiver) lives(h Head) bool {
	age := a.Clock.Now().Sub(h.Updated)
	return h.Owner != a.Owner && !h.Stopped && age < 3*a.beat() && age > -time.Hour
}

// inUse says who has the slot.
func (a *Archiver) inUse(ctx context.Context) error {
	f := fault.New(fault.Conflict, "the slot %s is in use: %s", a.Slot, a.holder(ctx)).
		WithHint("one archiver is enough; end that one first if this one is to take over")
	f.Cause = errBusy
	return f
}

// beat is how often the head is written at least.
func (a *Archiver) beat() time.Duration { return max(2*a.Every, 4*time.Second) }

// load puts what an earlier process left in the spool into the queue.
func (a *Archiver) load(head Head) error {
	found, err := a.spool.list()
	if err != nil {
		return err
	}
	q := &a.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	q.size, q.line, q.durable, q.until = head.SegmentSize, head.Timeline, head.Position, head.Until
	q.waiting = nil
	for n, w := range found {
		if w.End(q.size) <= head.Position && w.Timeline <= head.Timeline {
			if err := a.spool.drop(w.Segment); err != nil {
				return err
			}
			continue
		}
		w.ended = !w.whole && n < len(found)-1
		q.waiting = append(q.waiting, w)
	}
	return nil
}

// hopeless tells whether trying again later would be of no use.
func hopeless(err error) bool {
	switch fault.KindOf(err) {
	case fault.Invalid, fault.Conflict, fault.Cancelled:
		return !fault.As(err).Transient
	case fault.Denied:
		return true
	}
	return false
}

// receiveForever connects again whenever the connection ends.
func (a *Archiver) receiveForever(ctx context.Context) error {
	pause, busySince := shortestPause, time.Time{}
	for ctx.Err() == nil {
		began := a.Clock.Now()
		err := a.receive(ctx)
		a.held.Store(false)
		if ctx.Err() != nil {
			return nil
		}
		var pe *pgconn.PgError
		if errors.As(err, &pe) && pe.Code == "55006" {
			if busySince.IsZero() {
				busySince = began
			}
			busy := a.inUse(ctx)
			if a.Clock.Now().Sub(busySince) >= a.Patience {
				return busy
			}
			a.alarm("server", "waiting: %v", busy)
		} else {
			busySince = time.Time{}
			if hopeless(err) {
				return err
			}
			a.alarm("server", "the log does not come: %v", postgres.Fault(err, "receive the log of "+a.Server.Host))
		}
		if a.Clock.Now().Sub(began) > longestPause {
			pause = shortestPause
		}
		if err := a.Clock.Sleep(ctx, pause); err != nil {
			return nil
		}
		pause = min(2*pause, longestPause)
	}
	return nil
}

// holder says who uses the slot.
func (a *Archiver) holder(ctx context.Context) string {
	conn, err := a.Way.Connect(ctx, a.Server, "postgres")
	if err != nil {
		return "somebody else"
	}
	defer postgres.CloseQuietly(ctx, conn)
	var who string
	err = conn.QueryRow(ctx, `select format('process %s of the server, for %s from %s since %s', r.pid, nullif(r.application_name, ''), coalesce(host(r.client_addr), 'the machine itself'),
		to_char(r.backend_start at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"')) from pg_replication_slots s join pg_stat_replication r on r.pid = s.active_pid where s.slot_name = $1`, a.Slot).Scan(&who)
	if err != nil {
		return "somebody else"
	}
	if head, err := a.ReadHead(ctx); err == nil && head != nil && head.Slot == a.Slot {
		who += "; the archive was last written by " + head.Owner
	}
	return who
}
