package physical

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/webhost-systems/drhost/bindings/backup/artifact"
	"github.com/webhost-systems/drhost/bindings/backup/postgres"
	"github.com/webhost-systems/drhost/host/fault"
)

// ensureSlot makes the slot when it is missing or lost, and returns from where
// on the server keeps its log for it.
func (a *Archiver) ensureSlot(ctx context.Context) (postgres.LSN, error) {
	conn, err := a.Way.Connect(ctx, a.Server, "postgres")
	if err != nil {
		return 0, err
	}
	defer postgres.CloseQuietly(ctx, conn)
	status, at, err := a.slotState(ctx, conn)
	if err != nil {
		return 0, err
	}
	if status == "lost" {
		// Never dropped while it could still serve.
		if _, err := conn.Exec(ctx, "select pg_drop_replication_slot($1)", a.Slot); err != nil {
			return 0, err
		}
		a.Report(true, "the slot "+a.Slot+" is lost: it held back more than max_slot_wal_keep_size allows. A new one is made")
		status = ""
	}
	if status == "" {
		if _, err := conn.Exec(ctx, "select pg_create_physical_replication_slot($1, true)", a.Slot); err != nil {
			return 0, err
		}
		if _, at, err = a.slotState(ctx, conn); err != nil {
			return 0, err
		}
	}
	return at, nil
}

// slotState reads the slot's wal_status, "" when there is none, and from where
// on the log is kept. It raises the alarm when that is too much.
func (a *Archiver) slotState(ctx context.Context, conn *pgx.Conn) (status string, at postgres.LSN, err error) {
	var from string
	var held, limit int64
	err = conn.QueryRow(ctx, `select coalesce(wal_status, 'reserved'), coalesce(restart_lsn::text, '0/0'),
		coalesce(pg_wal_lsn_diff(case when pg_is_in_recovery() then pg_last_wal_receive_lsn() else pg_current_wal_lsn() end, restart_lsn), 0)::bigint,
		case when current_setting('max_slot_wal_keep_size') = '-1' then -1 else pg_size_bytes(current_setting('max_slot_wal_keep_size')) end
		from pg_replication_slots where slot_name = $1 and slot_type = 'physical'`, a.Slot).Scan(&status, &from, &held, &limit)
	if err == pgx.ErrNoRows {
		return "", 0, nil
	}
	if err != nil {
		return "", 0, err
	}
	a.judge(held, limit)
	at, err = postgres.ParseLSN(from)
	return status, at, err
}

// judge raises the alarm before the slot fills the server's disk, or is lost.
func (a *Archiver) judge(held, limit int64) {
	if limit < 0 {
		a.alarm("slot limit", "max_slot_wal_keep_size is not set: if the archive stands still for long, the log that the server keeps for the slot %s fills its disk. "+
			"Set it to what the disk can spare: ALTER SYSTEM SET max_slot_wal_keep_size = '8GB'; SELECT pg_reload_conf()", a.Slot)
	} else {
		a.quiet("slot limit")
	}
	threshold := a.SlotAlarm
	if limit > 0 && (threshold <= 0 || limit/2 < threshold) {
		threshold = limit / 2
	}
	if threshold > 0 && held > threshold {
		a.alarm("slot", "the server holds back %d MiB of its log for the slot %s (limit: %s)", held>>20, a.Slot, limitText(limit))
		return
	}
	a.quiet("slot")
}

func limitText(limit int64) string {
	if limit < 0 {
		return "none, until its disk is full"
	}
	return fmt.Sprintf("%d MiB, then it is lost", limit>>20)
}

// histories stores where a timeline comes from, and its ancestors, and returns
// the way to it. Another history under the same number in the repository means
// that two servers have gone different ways.
func (a *Archiver) histories(ctx context.Context, conn *pgconn.PgConn, timeline uint32) (Line, error) {
	line := Line{Timeline: timeline}
	if timeline == 1 {
		return line, nil
	}
	text, err := a.history(ctx, conn, timeline)
	if err != nil {
		return line, err
	}
	if line.Branches, err = parseHistory(text); err != nil {
		return line, err
	}
	for _, b := range line.Branches {
		if b.Timeline > 1 {
			if _, err := a.history(ctx, conn, b.Timeline); err != nil && !removed(err) {
				return line, err
			}
		}
	}
	return line, nil
}

func (a *Archiver) history(ctx context.Context, conn *pgconn.PgConn, timeline uint32) (string, error) {
	got, err := pglogrepl.TimelineHistory(ctx, conn, int32(timeline))
	if err != nil {
		return "", err
	}
	text := string(got.Content)
	same, found, err := a.sameHistory(ctx, timeline, text)
	if err != nil {
		return "", err
	}
	if found && !same {
		return "", fault.New(fault.Conflict, "the archive holds another timeline %d of this cluster than %s is on: a restored copy of it has gone its own way", timeline, a.Server.Host).
			WithHint("archive one of the two into a repository of its own, and make a base backup there")
	}
	if found {
		return text, nil
	}
	_, err = artifact.Write(ctx, a.Store, a.timeline(timeline), historyName(timeline), a.historySeal(), func(w io.Writer) error {
		_, err := io.WriteString(w, text)
		return err
	})
	return text, err
}

// historySeal leaves histories readable: they hold nothing of the data, and
// the archiver, which has no key, must be able to compare them.
func (a *Archiver) historySeal() artifact.Seal { return artifact.Seal{Threads: 1} }

func (a *Archiver) sameHistory(ctx context.Context, timeline uint32, text string) (same, found bool, err error) {
	r := recordOf(historyName(timeline)+".zst", 0)
	in, err := artifact.Open(ctx, a.Store, a.timeline(timeline), r, a.Keys)
	if errors.Is(err, artifact.ErrDamaged) {
		return false, false, nil
	}
	if err != nil {
		return false, false, err
	}
	defer in.Close()
	old, err := io.ReadAll(io.LimitReader(in, 1<<20))
	return essence(string(old)) == essence(text), true, err
}

// essence is a history without the reasons, which people may edit.
func essence(text string) string {
	branches, err := parseHistory(text)
	if err != nil {
		return text
	}
	var out []string
	for _, b := range branches {
		out = append(out, fmt.Sprint(b.Timeline, " ", b.End))
	}
	return strings.Join(out, "\n")
}
