package physical

import (
	"context"
	"encoding/binary"
	"errors"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/webhost-systems/drhost/bindings/backup/postgres"
	"github.com/webhost-systems/drhost/host/fault"
)

// receive connects and receives until the connection ends.
func (a *Archiver) receive(ctx context.Context) error {
	slot, err := a.ensureSlot(ctx)
	if err != nil {
		return err
	}
	conn, err := a.Way.Replicate(ctx, a.Server)
	if err != nil {
		return err
	}
	defer closeQuietly(ctx, conn)
	id, err := pglogrepl.IdentifySystem(ctx, conn)
	if err != nil {
		return err
	}
	if id.SystemID != a.System {
		return fault.New(fault.Conflict, "%s is another cluster now: %s instead of %s", a.Server.Host, id.SystemID, a.System).
			WithHint("start the archiver anew; it keeps a log for each cluster")
	}
	line, err := a.histories(ctx, conn, uint32(id.Timeline))
	if err != nil {
		return err
	}
	begin, err := a.whence(line, slot)
	if err != nil {
		return err
	}
	for {
		next, err := a.stream(ctx, conn, begin)
		if removed(err) {
			to := segmentAt(line.owner(uint64(slot)/uint64(a.spool.size), a.spool.size), slot, a.spool.size)
			if to.Number <= begin.Number {
				return err
			}
			a.gap(Gap{Timeline: begin.Timeline, From: max(a.durable(), begin.Start(a.spool.size)), To: to.Start(a.spool.size), Reason: "the server has removed it"})
			a.leave()
			begin = to
			continue
		}
		if err != nil {
			return err
		}
		a.leave()
		if line, err = a.histories(ctx, conn, next.Timeline); err != nil {
			return err
		}
		begin = segmentAt(next.Timeline, next.End, a.spool.size)
		a.Report(false, "timeline "+strconv.Itoa(int(next.Timeline))+" begins at "+next.End.String())
	}
}

// removed tells that the server no longer has what was asked for.
func removed(err error) bool {
	var pe *pgconn.PgError
	return errors.As(err, &pe) && pe.Code == "58P01"
}

// flow is one stretch of the log that is being received.
type flow struct {
	a        *Archiver
	conn     *pgconn.PgConn
	begin    Segment
	last     time.Time    // when the message before this one was sent, by the server's clock
	most     postgres.LSN // where the server's log ended for certain
	asked    bool         // an answer is under way
	answered time.Time    // when the server was last told how far we are
	synced   time.Time
	dirty    bool
}

const (
	syncEvery   = 200 * time.Millisecond
	answerEvery = time.Second
)

// stream receives from the beginning of a segment on. It returns where the
// next timeline begins when the one at hand has ended.
func (a *Archiver) stream(ctx context.Context, conn *pgconn.PgConn, begin Segment) (Branch, error) {
	err := pglogrepl.StartReplication(ctx, conn, a.Slot, pglogrepl.LSN(begin.Start(a.spool.size)), pglogrepl.StartReplicationOptions{Timeline: int32(begin.Timeline), Mode: pglogrepl.PhysicalReplication})
	if next, at, ended := pglogrepl.IsErrEndTimeline(err); ended {
		return Branch{uint32(next), postgres.LSN(at)}, nil
	}
	if err != nil {
		return Branch{}, err
	}
	a.held.Store(true)
	a.quiet("server")
	f := &flow{a: a, conn: conn, begin: begin}
	if err := f.open(ctx, begin); err != nil {
		return Branch{}, err
	}
	for {
		msg, err := f.message(ctx)
		if err != nil {
			return Branch{}, errors.Join(err, f.sync())
		}
		switch m := msg.(type) {
		case *pgproto3.CopyData:
			err = f.take(ctx, m.Data)
		case *pgproto3.CopyDone:
			if err := f.sync(); err != nil {
				return Branch{}, err
			}
			return f.end(ctx)
		case *pgproto3.ErrorResponse:
			return Branch{}, errors.Join(pgconn.ErrorResponseToPgError(m), f.sync())
		}
		if err == nil {
			err = f.settle()
		}
		if err != nil {
			return Branch{}, err
		}
	}
}

// message waits for the next message, but not longer than there is nothing to
// do; nil then.
func (f *flow) message(ctx context.Context) (pgproto3.BackendMessage, error) {
	wait := answerEvery
	if f.dirty {
		wait = syncEvery
	}
	inner, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	msg, err := f.conn.ReceiveMessage(inner)
	if err != nil && ctx.Err() == nil && pgconn.Timeout(err) {
		return nil, nil
	}
	return msg, err
}

// take reads a message of the stream: protocol-replication.html.
func (f *flow) take(ctx context.Context, data []byte) error {
	if len(data) == 0 {
		return nil
	}
	switch data[0] {
	case pglogrepl.XLogDataByteID:
		x, err := pglogrepl.ParseXLogData(data[1:])
		if err != nil {
			return err
		}
		f.most = max(f.most, postgres.LSN(x.ServerWALEnd))
		f.mark(f.most, x.ServerTime)
		return f.write(ctx, postgres.LSN(x.WALStart), x.WALData)
	case pglogrepl.PrimaryKeepaliveMessageByteID:
		k, err := pglogrepl.ParsePrimaryKeepaliveMessage(data[1:])
		if err != nil {
			return err
		}
		f.asked = false
		// It says how much was sent, which is all there is only when the
		// server has not spoken of more.
		if at := postgres.LSN(k.ServerWALEnd); at >= f.most {
			f.most = at
			f.mark(at, k.ServerTime)
		}
		if k.ReplyRequested {
			return f.answer(false)
		}
	}
	return nil
}

// mark notes that everything which clients had been told of when the message
// before was sent lies before a place: the server looked at its log after that.
func (f *flow) mark(at postgres.LSN, sent time.Time) {
	before := f.last
	f.last = sent.UTC()
	q := &f.a.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	q.server = at
	if before.IsZero() {
		return
	}
	n := len(q.marks)
	if n > 0 && q.marks[n-1].at == at {
		q.marks[n-1].when = before // nothing came in between
		return
	}
	gap := closeMarks
	if n > 1000 { // the repository takes nothing, perhaps for days
		gap = farMarks
	}
	// One that stands is never moved on: a server that never rests would move
	// it before the repository, for ever.
	if n == 0 || before.Sub(q.marks[n-1].when) >= gap {
		q.marks = append(q.marks, sample{at, before})
	}
}

// closeMarks and farMarks are how far apart the moments are that are
// remembered.
const (
	closeMarks = 100 * time.Millisecond
	farMarks   = 10 * time.Second
)

// write puts bytes into the spool and goes to the next segment where one ends.
func (f *flow) write(ctx context.Context, at postgres.LSN, data []byte) error {
	for len(data) > 0 {
		n, err := f.a.spool.write(at, data)
		at, data = at+postgres.LSN(n), data[n:]
		f.dirty = f.dirty || n > 0
		if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
			err = f.hold(ctx, "the spool %s has no room: the server keeps its log", f.a.Spool)
		}
		if err != nil {
			return err
		}
		if n > 0 {
			f.a.quiet("spool")
		}
		if f.a.spool.at == f.a.spool.size {
			if err := f.turn(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// turn ends a segment and begins the next.
func (f *flow) turn(ctx context.Context) error {
	done := f.a.spool.now
	for {
		err := f.a.spool.finish()
		if err == nil {
			break
		}
		if !errors.Is(err, syscall.ENOSPC) && !errors.Is(err, syscall.EDQUOT) {
			return err
		}
		if err := f.hold(ctx, "the spool %s has no room: the server keeps its log", f.a.Spool); err != nil {
			return err
		}
	}
	f.dirty = false
	f.a.enqueue(waiting{Segment: done, bytes: f.a.spool.size, whole: true})
	for f.a.Limit > 0 && f.a.spool.used() >= f.a.Limit {
		if err := f.hold(ctx, "the spool %s is full, because the repository takes nothing: the server keeps its log", f.a.Spool); err != nil {
			return err
		}
	}
	return f.open(ctx, Segment{done.Timeline, done.Number + 1})
}

// open begins a segment in the spool.
func (f *flow) open(ctx context.Context, seg Segment) error {
	for {
		err := f.a.spool.begin(seg)
		if err == nil {
			return nil
		}
		if !errors.Is(err, syscall.ENOSPC) && !errors.Is(err, syscall.EDQUOT) {
			return err
		}
		if err := f.hold(ctx, "the spool %s has no room: the server keeps its log", f.a.Spool); err != nil {
			return err
		}
	}
}

// hold waits for room and keeps the server from hanging up meanwhile.
func (f *flow) hold(ctx context.Context, format string, args ...any) error {
	f.a.alarm("spool", format, args...)
	if err := f.answer(false); err != nil {
		return err
	}
	return f.a.Clock.Sleep(ctx, time.Second)
}

// settle syncs and answers when it is time.
func (f *flow) settle() error {
	now := f.a.Clock.Now()
	if f.dirty && now.Sub(f.synced) >= syncEvery {
		if err := f.sync(); err != nil {
			return err
		}
		f.synced = now
	}
	if now.Sub(f.answered) < answerEvery {
		return nil
	}
	f.answered = now
	return f.answer(true)
}

// sync makes durable what came, and lets it be shipped.
func (f *flow) sync() error {
	if !f.dirty {
		return nil
	}
	if err := f.a.spool.sync(); err != nil {
		return err
	}
	f.dirty = false
	f.a.enqueue(waiting{Segment: f.a.spool.now, bytes: f.a.spool.at})
	return nil
}

// answer tells the server how far we are. Only what is durable in the
// repository lets the slot go on.
func (f *flow) answer(ask bool) error {
	durable := f.a.durable()
	if durable < f.begin.Start(f.a.spool.size) {
		durable = 0 // nothing to say: the slot stays where it is
	}
	ask = ask && !f.asked // one answer at a time, or two come without a look at the log between
	f.asked = f.asked || ask
	data := []byte{pglogrepl.StandbyStatusUpdateByteID}
	data = binary.BigEndian.AppendUint64(data, uint64(f.a.spool.now.Start(f.a.spool.size))+uint64(f.a.spool.at))
	data = binary.BigEndian.AppendUint64(data, uint64(durable))
	data = binary.BigEndian.AppendUint64(data, uint64(durable))
	data = binary.BigEndian.AppendUint64(data, uint64(f.a.Clock.Now().Sub(postgresTime(0)).Microseconds()))
	data = append(data, flag(ask))
	f.conn.Frontend().Send(&pgproto3.CopyData{Data: data})
	return f.conn.Frontend().Flush()
}

func flag(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// end answers the end of a timeline and reads which one follows, and where.
func (f *flow) end(ctx context.Context) (next Branch, err error) {
	f.conn.Frontend().Send(&pgproto3.CopyDone{})
	if err := f.conn.Frontend().Flush(); err != nil {
		return next, err
	}
	for {
		msg, err := f.conn.ReceiveMessage(ctx)
		if err != nil {
			return next, err
		}
		switch m := msg.(type) {
		case *pgproto3.DataRow:
			if len(m.Values) != 2 {
				continue
			}
			timeline, err := strconv.ParseUint(string(m.Values[0]), 10, 32)
			if err != nil {
				return next, err
			}
			if next.End, err = postgres.ParseLSN(string(m.Values[1])); err != nil {
				return next, err
			}
			next.Timeline = uint32(timeline)
		case *pgproto3.ErrorResponse:
			return next, pgconn.ErrorResponseToPgError(m)
		case *pgproto3.ReadyForQuery:
			if next.Timeline == 0 {
				return next, fault.New(fault.Unavailable, "the server ended the log, perhaps because it is shutting down")
			}
			return next, nil
		}
	}
}

// enqueue adds a segment, or what has come of it since.
func (a *Archiver) enqueue(w waiting) {
	q := &a.queue
	q.mu.Lock()
	n := len(q.waiting)
	if n > 0 && q.waiting[n-1].Segment == w.Segment {
		w.bytes = max(w.bytes, q.waiting[n-1].bytes)
		q.waiting[n-1] = w
	} else {
		q.waiting = append(q.waiting, w)
	}
	q.mu.Unlock()
	if w.whole {
		select {
		case q.wake <- struct{}{}:
		default: // it is awake already
		}
	}
}
