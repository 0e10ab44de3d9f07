package logical

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/webhost-systems/drhost/bindings/backup/postgres"
)

// createRoles makes the roles that the backup's server had and this one lacks,
// out of globals.sql, so that owners and rights can be restored. Roles that
// exist are left alone; none gets a password.
func (w *work) createRoles(ctx context.Context) error {
	if !w.super {
		return nil // owners are not restored either
	}
	rows, err := w.admin.Query(ctx, "select quote_ident(rolname) from pg_roles")
	if err != nil {
		return err
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	present := map[string]bool{}
	for _, n := range names {
		present[n] = true
	}
	globals, err := w.engine.open(ctx, w.backup, GlobalsName)
	if err != nil {
		return err
	}
	defer globals.Close()
	missing, statements, err := postgres.MissingRoles(globals, present)
	if err != nil {
		return err
	}
	for _, s := range statements {
		if _, err := w.admin.Exec(ctx, s); err != nil {
			return err
		}
	}
	w.roles = missing
	return nil
}
