package logical

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/webhost-systems/drhost/bindings/backup/catalogue"
	"github.com/webhost-systems/drhost/bindings/backup/postgres"
)

func quoted(name string) string { return pgx.Identifier{name}.Sanitize() }

func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// createBeside makes an empty database with the encoding and sort order of the
// backup. What an interrupted attempt of this call left is dropped first.
func (w *work) createBeside(ctx context.Context) error {
	if err := w.drop(ctx, w.beside); err != nil {
		return err
	}
	sql := "create database " + quoted(w.beside) + " template template0 encoding " + literal(w.backup.Server.Encoding)
	if w.owner != "" {
		sql += " owner " + quoted(w.owner)
	}
	_, err := w.admin.Exec(ctx, sql+" lc_collate "+literal(w.backup.Server.Collate)+" lc_ctype "+literal(w.backup.Server.CType))
	var pe *pgconn.PgError
	if errors.As(err, &pe) && strings.Contains(pe.Message, "locale") {
		w.warnings = append(w.warnings, fmt.Sprintf("the server does not know the locale %s: text may sort differently", w.backup.Server.Collate))
		_, err = w.admin.Exec(ctx, sql)
	}
	if err != nil {
		return err
	}
	for _, setting := range w.backup.Settings {
		name, value, _ := strings.Cut(setting, "=")
		if _, err := w.admin.Exec(ctx, alterSetting(w.beside, name, value)); err != nil {
			return err
		}
	}
	return nil
}

// alterSetting is the statement that sets a setting of a database.
func alterSetting(database, name, value string) string {
	if !isList(name) {
		value = literal(value)
	}
	return "alter database " + quoted(database) + " set " + quoted(name) + " to " + value
}

// isList tells whether PostgreSQL stores a setting as a list that is quoted
// already (GUC_LIST_QUOTE in its sources).
func isList(name string) bool {
	switch strings.ToLower(name) {
	case "search_path", "temp_tablespaces", "session_preload_libraries", "shared_preload_libraries", "local_preload_libraries", "unix_socket_directories":
		return true
	}
	return false
}

// drop removes a database of this call's own making, and its sessions.
func (w *work) drop(ctx context.Context, name string) error {
	if _, err := w.admin.Exec(ctx, "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1", name); err != nil {
		return err
	}
	_, err := w.admin.Exec(ctx, "drop database if exists "+quoted(name))
	return err
}

// dropBeside cleans up after a failure; what it cannot, the next attempt does.
func (w *work) dropBeside(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	conn, err := w.engine.Way.Connect(ctx, w.Server, "postgres") // the other one ended with its context
	if err != nil {
		return
	}
	defer postgres.CloseQuietly(ctx, conn)
	again := *w
	again.admin = conn
	_ = again.drop(ctx, w.beside)
}

// swap gives the restored database its name, the one before another name, and
// both or neither: it is one transaction, which also leaves the mark by which
// Settled recognises that it happened.
func (w *work) swap(ctx context.Context) error {
	sql := "alter database " + quoted(w.beside) + " rename to " + quoted(w.target) + "; comment on database " + quoted(w.target) + " is " + literal(w.mark())
	aside := w.kept
	if w.exists {
		if aside == "" {
			aside = w.empty()
		}
		sql = "alter database " + quoted(w.target) + " rename to " + quoted(aside) + "; " + sql
		if err := w.close(ctx); err != nil {
			w.reopen(ctx, w.target)
			return postgres.Fault(err, "").NothingDone()
		}
	}
	if err := w.rename(ctx, sql); err != nil {
		var pe *pgconn.PgError
		if errors.As(err, &pe) && pe.Severity == "ERROR" { // rolled back
			w.reopen(ctx, w.target)
			w.dropBeside(ctx)
			return postgres.Fault(err, "").NothingDone()
		}
		return err
	}
	if !w.exists {
		return nil
	}
	if w.kept == "" {
		w.dropEmpty(ctx)
		return nil
	}
	w.reopen(ctx, w.kept)
	return nil
}

// empty is the name that an empty database goes by once it is replaced.
func (w *work) empty() string { return BesideName(w.target, "_empty_"+catalogue.Suffix(w.Key)) }

// dropEmpty drops the empty database that was replaced: nothing is lost with
// it.
func (w *work) dropEmpty(ctx context.Context) {
	if err := w.drop(ctx, w.empty()); err != nil {
		w.warnings = append(w.warnings, "the empty database that was there is still called "+w.empty())
	}
}

// rename runs the swap in one transaction.
func (w *work) rename(ctx context.Context, sql string) error {
	_, err := w.admin.PgConn().Exec(ctx, "begin; "+sql+"; commit").ReadAll()
	if err != nil {
		_, _ = w.admin.Exec(ctx, "rollback") // ends a failed transaction; a dead connection has none
	}
	return err
}

// close keeps clients out of the target and ends their sessions.
func (w *work) close(ctx context.Context) error {
	if _, err := w.admin.Exec(ctx, "alter database "+quoted(w.target)+" with allow_connections false"); err != nil {
		return err
	}
	_, err := w.admin.Exec(ctx, "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1", w.target)
	return err
}

// letIn opens a target that an attempt of this call which died just before it
// took the name left closed. What it restored beside tells such a target from
// one that somebody closed on purpose.
func (w *work) letIn(ctx context.Context) error {
	var ours bool
	err := w.admin.QueryRow(ctx, `select not datallowconn and exists (select from pg_database where datname = $2)
		from pg_database where datname = $1`, w.target, w.beside).Scan(&ours)
	if err == nil && ours {
		_, err = w.admin.Exec(ctx, "alter database "+quoted(w.target)+" with allow_connections true")
	}
	return err
}

// reopen lets clients in again. Best effort: after a cut connection the
// repeated call does it, see letIn and marked.
func (w *work) reopen(ctx context.Context, name string) {
	if !w.exists {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	_, _ = w.admin.Exec(ctx, "alter database "+quoted(name)+" with allow_connections true")
}

const markForm = "drhost %s restored %s kept %s"

func (w *work) mark() string {
	kept := w.kept
	if kept == "" {
		kept = "-"
	}
	return fmt.Sprintf(markForm, w.Key, w.backup.ID, kept)
}

// marked reads the comment of the target: whether this call made it.
func (w *work) marked(ctx context.Context) (Restored, bool, error) {
	var comment string
	err := w.admin.QueryRow(ctx, "select coalesce(shobj_description(oid, 'pg_database'), '') from pg_database where datname = $1", w.target).Scan(&comment)
	if err == pgx.ErrNoRows {
		return Restored{}, false, nil
	}
	if err != nil {
		return Restored{}, false, postgres.Fault(err, "look for an earlier restore of "+w.target).NothingDone()
	}
	start := fmt.Sprintf("drhost %s restored %s kept ", w.Key, w.backup.ID)
	kept, found := strings.CutPrefix(comment, start)
	if !found {
		return Restored{}, false, nil
	}
	if kept != "-" {
		w.kept, w.exists = kept, true
		w.reopen(ctx, kept)
	} else {
		w.dropEmpty(ctx) // there may have been one
	}
	return w.result(), true, nil
}

// Settled tells whether the restore with this key gave the database its name:
// it looks for the mark. Without it the name was not given, and a repeat drops
// what was begun beside, which begun tells.
func (e *Engine) Settled(ctx context.Context, r Restore) (done Restored, found bool, begun string, err error) {
	w, err := e.aim(ctx, r)
	if err != nil {
		return Restored{}, false, "", err
	}
	if w.admin, err = e.Way.Connect(ctx, w.Server, "postgres"); err != nil {
		return Restored{}, false, "", err
	}
	defer postgres.CloseQuietly(ctx, w.admin)
	if done, found, err = w.marked(ctx); err != nil || found {
		return done, found, "", err
	}
	var is bool
	if err := w.admin.QueryRow(ctx, "select exists (select from pg_database where datname = $1)", w.beside).Scan(&is); err != nil {
		return Restored{}, false, "", postgres.Fault(err, "look for "+w.beside).NothingDone()
	}
	if is {
		begun = w.beside
	}
	return Restored{}, false, begun, nil
}
