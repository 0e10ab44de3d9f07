package logical

import (
	"context"
	"errors"
	"os"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/webhost-systems/drhost/bindings/backup/artifact"
	"github.com/webhost-systems/drhost/bindings/backup/catalogue"
	"github.com/webhost-systems/drhost/bindings/backup/postgres"
	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

// try restores a backup on a server of our own and looks at what came back:
// rows, contents, sequences, constraints, indexes, and with pg_amcheck every
// page. Nothing of it is left. What is compared is returned.
func (e *Engine) try(ctx context.Context, b catalogue.Backup) (compared []string, err error) {
	tools, err := e.ServerTools(ctx, max(b.Server.Major, b.ToolMajor))
	if err != nil {
		return nil, err
	}
	as, err := postgres.Unprivileged()
	if err != nil {
		return nil, err
	}
	outer, err := postgres.TempFolder(e.Scratch, "drhost-trial-", as)
	if err != nil {
		return nil, scratch(err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(outer)) }()
	server := &postgres.Scratch{Folder: outer + "/data", User: "postgres", Tools: tools, As: as, Clock: e.Clock}
	binding.Progress(ctx, "making a server to restore %s on", b.ID)
	if err := server.Make(ctx); err != nil {
		return nil, scratch(err)
	}
	compared = []string{"checksums", "archive to its end", "row counts", "content hashes", "sequences", "constraints"}
	err = server.Serve(ctx, func(ctx context.Context) error {
		w, err := e.on(ctx, server, tools, b)
		if err != nil {
			return err
		}
		defer postgres.CloseQuietly(ctx, w.admin)
		if err := w.build(ctx); err != nil {
			return err
		}
		if err := w.valid(ctx); err != nil {
			return err
		}
		if _, err := os.Stat(tools.Path("pg_amcheck")); err != nil {
			return nil // PostgreSQL before 14
		}
		binding.Progress(ctx, "pg_amcheck reads what came back of %s", b.ID)
		compared = append(compared, "pg_amcheck")
		return server.Amcheck(ctx, w.beside)
	})
	return compared, err
}

// on is a restore on a server of our own. Whatever role owned something there
// is made, so that owners and rights are tried, too.
func (e *Engine) on(ctx context.Context, server *postgres.Scratch, tools postgres.Tools, b catalogue.Backup) (*work, error) {
	inner := *e
	inner.Way = server.Way()
	w := &work{Restore: Restore{ID: b.ID, Server: server.Server(), Host: "a server of its own", Jobs: 2, Key: b.ID}, engine: &inner, backup: b, tools: tools,
		target: b.Database, beside: "drhost_trial", super: true, major: tools.Major}
	var err error
	w.admin, err = inner.Way.Connect(ctx, w.Server, "postgres")
	return w, err
}

// valid looks at what PostgreSQL itself does not trust in what came back, and
// at sequences. Constraints that were not valid when the dump was taken are not
// either in what came back: rows were never held against them.
func (w *work) valid(ctx context.Context) error {
	conn, err := w.engine.Way.Connect(ctx, w.Server, w.beside)
	if err != nil {
		return err
	}
	defer postgres.CloseQuietly(ctx, conn)
	for what, sql := range map[string]string{
		"the index %s is not valid":           "select indexrelid::regclass::text from pg_index where not indisvalid or not indisready",
		"the constraint %s was never checked": "select conname::text from pg_constraint where not convalidated and conrelid <> 0",
	} {
		rows, err := conn.Query(ctx, sql)
		if err != nil {
			return err
		}
		names, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return err
		}
		if len(names) == 0 {
			continue
		}
		text := strings.Replace(what, "%s", strings.Join(names, ", "), 1)
		if strings.Contains(what, "index") {
			return fault.New(fault.Failed, "of what came back %s", text).WithHint(artifact.Another)
		}
		w.warnings = append(w.warnings, text)
	}
	return nil
}
