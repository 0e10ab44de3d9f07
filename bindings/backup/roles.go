package backup

import (
	"context"
	"os"
	"strings"

	"github.com/jackc/pgx/v5"
)

// createRoles makes the roles that the backup's server had and this one lacks,
// out of globals.sql, so that owners and rights can be restored. Roles that
// exist are left alone; none gets a password.
func (w *work) createRoles(ctx context.Context) error {
	if !w.super {
		return nil // owners are not restored either
	}
	text, err := os.ReadFile(w.file(globalsName))
	if err != nil {
		return err
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
	missing, statements := missingRoles(string(text), present)
	for _, s := range statements {
		if _, err := w.admin.Exec(ctx, s); err != nil {
			return err
		}
	}
	w.roles = missing
	return nil
}

// missingRoles picks from the output of pg_dumpall --globals-only the lines that
// make the roles not in present: CREATE ROLE, their ALTER ROLE ... WITH, and
// memberships of theirs. pg_dumpall writes each of these on one line.
func missingRoles(globals string, present map[string]bool) (missing, statements []string) {
	made := map[string]bool{}
	for _, line := range strings.Split(globals, "\n") {
		name, isCreate := strings.CutPrefix(line, "CREATE ROLE ")
		if name = strings.TrimSuffix(name, ";"); isCreate && !present[name] {
			made[name] = true
			missing = append(missing, name)
			statements = append(statements, line)
		}
	}
	for _, line := range strings.Split(globals, "\n") {
		if rest, ok := strings.CutPrefix(line, "ALTER ROLE "); ok {
			for name := range made {
				if strings.HasPrefix(rest, name+" WITH ") {
					statements = append(statements, line)
				}
			}
		}
		if rest, ok := strings.CutPrefix(line, "GRANT "); ok && membershipOf(rest, made) {
			grant, _, _ := strings.Cut(line, " GRANTED BY ") // who granted it may not exist here
			statements = append(statements, strings.TrimSuffix(grant, ";"))
		}
	}
	return missing, statements
}

// membershipOf tells whether "a TO b ..." is about one of the roles.
func membershipOf(rest string, made map[string]bool) bool {
	group, member, ok := strings.Cut(strings.TrimSuffix(rest, ";"), " TO ")
	if !ok || strings.Contains(group, " ON ") {
		return false
	}
	for name := range made {
		if group == name || member == name || strings.HasPrefix(member, name+" ") {
			return true
		}
	}
	return false
}
