// Package backup makes, checks and restores backups of PostgreSQL databases
// with PostgreSQL's own tools. A backup exists when its manifest does, and can
// be restored without drhost by the commands in it. The package must never
// delete a backup, never put a restored database in place before it was
// checked, and never let a password reach a command line or a log.
package backup

import (
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
	"github.com/webhost-systems/drhost/host/secret"
)

// passwordDefault is asked for at the first connection: listing and verifying
// need no server.
const passwordDefault = "env:PGPASSWORD"

// settings is [env.NAME.backup].
type settings struct {
	Repository     string                    `lua:"repository" default:"backups" doc:"Folder that holds the backups."`
	Bin            string                    `lua:"bin,optional" doc:"Folder of pg_dump and pg_restore; found by itself when not set."`
	User           string                    `lua:"user" default:"postgres" doc:"Role to log in as."`
	Password       secret.Value              `lua:"password,optional" doc:"Reference to its password; env:PGPASSWORD when not set."`
	Port           int                       `lua:"port" default:"5432" doc:"Port of hosts that are given without one."`
	SSLMode        string                    `lua:"sslmode" enum:"disable,allow,prefer,require,verify-ca,verify-full" default:"prefer" doc:"How much encryption is asked of the server."`
	ConnectTimeout time.Duration             `lua:"connect_timeout" default:"10s" doc:"How long a server may take to accept a connection."`
	Hosts          map[string]serverSettings `lua:"hosts,optional" doc:"What differs for single hosts, by the name or address that runbooks use."`
}

// serverSettings is [env.NAME.backup.hosts."ADDRESS"].
type serverSettings struct {
	User     string       `lua:"user,optional" doc:"Role to log in as."`
	Password secret.Value `lua:"password,optional" doc:"Reference to its password."`
	Port     int          `lua:"port,optional" doc:"Port the server listens on."`
	SSLMode  string       `lua:"sslmode,optional" enum:"disable,allow,prefer,require,verify-ca,verify-full" doc:"How much encryption is asked of the server."`
}

// Client is one run's view of the repository and of the servers.
type Client struct {
	env  binding.Env
	set  settings
	repo repository
}

func open(env binding.Env, set settings) (*Client, error) {
	if set.Port < 1 || set.Port > 65535 {
		return nil, fault.New(fault.Invalid, "port %d in the settings of backup is no port", set.Port)
	}
	dir := set.Repository
	if rest, ok := strings.CutPrefix(dir, "~/"); ok {
		home, err := os.UserHomeDir()
		if err != nil {
			return nil, fault.New(fault.Invalid, "%s needs a home directory: %v", dir, err)
		}
		dir = filepath.Join(home, rest)
	}
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(env.Dir, dir)
	}
	return &Client{env: env, set: set, repo: repository{dir}}, nil
}
