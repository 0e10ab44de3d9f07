package physical

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/webhost-systems/drhost/bindings/backup/postgres"
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
