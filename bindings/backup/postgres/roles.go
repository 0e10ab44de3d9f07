package postgres

import "strings"

// MissingRoles picks from the output of pg_dumpall --globals-only the lines that
// make the roles not in present: CREATE ROLE, their ALTER ROLE ... WITH, and
// memberships of theirs. pg_dumpall writes each of these on one line.
func MissingRoles(globals string, present map[string]bool) (missing, statements []string) {
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
