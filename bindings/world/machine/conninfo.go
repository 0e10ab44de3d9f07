package machine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// autoConf is where ALTER SYSTEM writes.
const autoConf = "postgresql.auto.conf"

// The settings by which a standby follows.
const (
	primaryConninfo = "primary_conninfo"
	primarySlot     = "primary_slot_name"
)

// settings are those of a file, by their names; the last one counts.
type settings map[string]string

// settingLine is a line such as `primary_conninfo = 'host=db-1'`; the rest of
// PostgreSQL's syntax (config.l of its source) concerns values without quotes.
var settingLine = regexp.MustCompile(`(?m)^[ \t]*([A-Za-z_][A-Za-z0-9_.]*)[ \t]*=?[ \t]*'((?:[^'\\\n]|''|\\.)*)'`)

func parseSettings(text string) settings {
	out := settings{}
	for _, found := range settingLine.FindAllStringSubmatch(text, -1) {
		out[strings.ToLower(found[1])] = strings.NewReplacer("''", "'", `\\`, `\`, `\'`, "'").Replace(found[2])
	}
	return out
}

// line writes one of them; "" when it is not there.
func (s settings) line(name string) string {
	value, found := s[name]
	if !found {
		return ""
	}
	return fmt.Sprintf("%s = '%s'\n", name, strings.NewReplacer("'", "''", `\`, `\\`).Replace(value))
}

// ownSettings are what ALTER SYSTEM has set; nil without a cluster.
func (m *Machine) ownSettings() (settings, error) {
	text, err := os.ReadFile(filepath.Join(m.dataDir(), autoConf))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return parseSettings(string(text)), err
}

// following is the primary_conninfo that the cluster goes by.
func (m *Machine) following(ctx context.Context) (text string, err error) {
	err = m.ask(ctx, func(conn *pgx.Conn) error {
		return conn.QueryRow(ctx, "select setting from pg_settings where name = $1", primaryConninfo).Scan(&text)
	})
	if err == nil {
		return text, nil
	}
	own, err := m.ownSettings() // it has just read them: it is starting
	return own[primaryConninfo], err
}

// harmlessWords are the keywords of a connection string (PostgreSQL's manual,
// section 34.1.2) under which a standby reaches no other address and reads no
// file of this computer.
func harmlessWords() []string {
	return []string{"host", "port", "user", "password", "dbname", "application_name", "fallback_application_name", "connect_timeout",
		"keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout", "sslmode", "sslcompression", "sslsni",
		"ssl_min_protocol_version", "gssencmode", "krbsrvname", "channel_binding", "target_session_attrs", "replication", "options"}
}

var conninfoPair = regexp.MustCompile(`\s*([A-Za-z_]+)\s*=\s*('(?:[^'\\]|\\.)*'|(?:[^\s'\\]|\\.)+)`)

// followed reads where a connection string leads; an error says what a
// simulated machine does not let its standby do.
func followed(text string) (at hostPort, err error) {
	at.port = followPorts()[0]
	pairs := conninfoPair.FindAllStringSubmatchIndex(text, -1)
	end := 0
	for _, p := range pairs {
		if p[0] != end {
			break
		}
		end = p[1]
		key, value := text[p[2]:p[3]], text[p[4]:p[5]]
		value = unescape(strings.TrimSuffix(strings.TrimPrefix(value, "'"), "'"))
		switch {
		case !slices.Contains(harmlessWords(), key):
			return at, fmt.Errorf("%s in %s is nothing that a simulated machine follows", key, primaryConninfo)
		case key == "host":
			at.host = value
		case key == "port":
			at.port = value
		}
	}
	if strings.TrimSpace(text[end:]) != "" {
		return at, fmt.Errorf("%s cannot be read as keyword = value pairs", primaryConninfo)
	}
	if !slices.Contains(followPorts(), at.port) {
		return at, fmt.Errorf("a simulated machine follows at port %s, not %s", strings.Join(followPorts(), " or "), at.port)
	}
	return at, nil
}

// unescape takes what follows a backslash as it is.
func unescape(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' && i+1 < len(text) {
			i++
		}
		b.WriteByte(text[i])
	}
	return b.String()
}

// ownFollowing tells whether a standby may go by its own settings, and if not,
// why. Only then is there nothing on its command line that overrides them.
func ownFollowing(text string) error {
	if strings.Contains(strings.ToLower(text), "include") {
		return fmt.Errorf("%s includes other files", autoConf)
	}
	conninfo, found := parseSettings(text)[primaryConninfo]
	if !found || strings.Count(strings.ToLower(text), primaryConninfo) != strings.Count(parsedNames(text), primaryConninfo) {
		return fmt.Errorf("%s has no readable %s", autoConf, primaryConninfo)
	}
	_, err := followed(conninfo)
	return err
}

// parsedNames are the names of all lines that parseSettings reads.
func parsedNames(text string) string {
	var names []string
	for _, found := range settingLine.FindAllStringSubmatch(text, -1) {
		names = append(names, strings.ToLower(found[1]))
	}
	return strings.Join(names, "\n")
}
