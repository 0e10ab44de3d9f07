package postgres

import (
	"bufio"
	"io"
	"strings"
)

// longestLine of pg_dumpall's output that is read.
const longestLine = 1 << 20

// MissingRoles picks from the output of pg_dumpall --globals-only the lines that
// make the roles not in present: CREATE ROLE, their ALTER ROLE ... WITH, and
// memberships of theirs. pg_dumpall writes each of these on one line, and a role
// before what is said about it.
func MissingRoles(globals io.Reader, present map[string]bool) (missing, statements []string, err error) {
	made := map[string]bool{}
	lines := bufio.NewScanner(globals)
	lines.Buffer(nil, longestLine)
	for lines.Scan() {
		line := lines.Text()
		name, isCreate := strings.CutPrefix(line, "CREATE ROLE ")
		if name = strings.TrimSuffix(name, ";"); isCreate && !present[name] {
			made[name] = true
			missing = append(missing, name)
			statements = append(statements, line)
		}
		if rest, ok := strings.CutPrefix(line, "ALTER ROLE "); ok {
			if name, _, ok := strings.Cut(rest, " WITH "); ok && made[name] {
				statements = append(statements, line)
			}
		}
		if rest, ok := strings.CutPrefix(line, "GRANT "); ok && membershipOf(rest, made) {
			grant, _, _ := strings.Cut(line, " GRANTED BY ") // who granted it may not exist here
			statements = append(statements, strings.TrimSuffix(grant, ";"))
		}
	}
	return missing, statements, lines.Err()
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
