package world

import (
	"regexp"
	"slices"
	"strings"
)

// unwrapped is a command without the change of user in front of it.
func unwrapped(words []string) []string {
	if len(words) > 2 && words[0] == "gosu" {
		return words[2:]
	}
	return words
}

// looks tells of a command on one of Fly's machines that it only looks. One
// that nobody knows counts as one that changes something.
func looks(words []string) bool {
	words = unwrapped(words)
	switch head := strings.Join(words[:min(3, len(words))], " "); {
	case len(words) == 0:
		return false
	case words[0] == "repmgr":
		shows := slices.Contains([]string{"cluster show", "daemon status", "service status", "node status", "node check"}, strings.Join(words[1:min(3, len(words))], " "))
		return shows || slices.Contains(words, "--dry-run")
	case words[0] == "psql":
		at := slices.Index(words, "-c")
		return at >= 0 && at+1 < len(words) && selects(words[at+1]) && !slices.Contains(words[at+2:], "-c")
	case words[0] == "true":
		return true
	default:
		return head == "flexctl backup list" || head == "flexctl backup config" || len(words) == 3 && words[1] == "-c" && shown.MatchString(words[2])
	}
}

// shown is how flyctl asks a shell for the value of a variable.
var shown = regexp.MustCompile(`^echo \$\{?[A-Za-z_][A-Za-z0-9_]*\}?$`)

var called = regexp.MustCompile(`([a-z_][a-z0-9_]*)\s*\(`)

// selects tells of a statement of SQL that it only reads. A select may call
// what acts, such as pg_promote(): every function in it has to be known.
func selects(sql string) bool {
	sql = strings.ToLower(strings.TrimSpace(sql))
	if !strings.HasPrefix(sql, "select ") || strings.Contains(sql, ";") || strings.Contains(sql, " into ") {
		return false
	}
	for _, m := range called.FindAllStringSubmatch(sql, -1) {
		if !slices.Contains(harmless(), m[1]) {
			return false
		}
	}
	return true
}

// harmless are the functions, and the words before a bracket, that a select
// may have and still only reads.
func harmless() []string {
	return []string{"select", "from", "coalesce", "greatest", "least", "count", "max", "min", "json_build_object", "json_agg", "current_setting",
		"pg_is_in_recovery", "pg_current_wal_lsn", "pg_last_wal_receive_lsn", "pg_last_wal_replay_lsn"}
}
