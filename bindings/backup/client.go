// Package backup makes, checks and restores backups of PostgreSQL databases
// with PostgreSQL's own tools. A backup exists when its manifest does, and can
// be restored without drhost by the commands in it. The package must never put
// a restored database in place before it was checked, never delete a backup but
// by prune, and never let a password reach a command line or a log.
package backup

import (
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
	Repository     string                      `lua:"repository" default:"backups" doc:"Where the backups lie: a folder, s3://BUCKET/PREFIX or sftp://USER@HOST[:PORT]/PATH."`
	Recipients     []string                    `lua:"recipients,optional" doc:"Public keys of age (age1...); what is stored is encrypted for them when there are any."`
	Identity       secret.Value                `lua:"identity,optional" doc:"Reference to the private key of age that opens it, as age-keygen writes it. Backing up needs none."`
	Keep           *keepSettings               `lua:"keep" doc:"What prune keeps; 30 days and the last good one when not set."`
	LockWait       time.Duration               `lua:"lock_wait" default:"1m" doc:"How long to wait for somebody else who is at work on the same backups."`
	Scratch        string                      `lua:"scratch,optional" doc:"Folder with room for one unpacked dump, while it is restored; the system's temporary folder when not set."`
	Cache          string                      `lua:"cache,optional" doc:"Folder for indexes of files that were backed up, which a machine without the key could not open again; drhost's own in the user's cache folder when not set."`
	Archive        *archiveSettings            `lua:"archive" doc:"How the write-ahead log is archived, by drhost backup archive."`
	SSH            sshSettings                 `lua:"ssh,optional" doc:"How machines are reached on which whole clusters are restored."`
	Databases      map[string]databaseSettings `lua:"databases,optional" doc:"What is to be known of single databases, clusters and trees, by name: tier, objective, contacts."`
	S3             s3Settings                  `lua:"s3,optional" doc:"How a repository s3://... is reached."`
	SFTP           sftpSettings                `lua:"sftp,optional" doc:"How a repository sftp://... is reached."`
	Bin            string                      `lua:"bin,optional" doc:"Folder of pg_dump and pg_restore; found by itself when not set."`
	User           string                      `lua:"user" default:"postgres" doc:"Role to log in as."`
	Password       secret.Value                `lua:"password,optional" doc:"Reference to its password; env:PGPASSWORD when not set."`
	Port           int                         `lua:"port" default:"5432" doc:"Port of hosts that are given without one."`
	SSLMode        string                      `lua:"sslmode" enum:"disable,allow,prefer,require,verify-ca,verify-full" default:"prefer" doc:"How much encryption is asked of the server."`
	ConnectTimeout time.Duration               `lua:"connect_timeout" default:"10s" doc:"How long a server may take to accept a connection."`
	Hosts          map[string]serverSettings   `lua:"hosts,optional" doc:"What differs for single hosts, by the name or address that runbooks use."`
}

// serverSettings is [env.NAME.backup.hosts."ADDRESS"].
type serverSettings struct {
	User     string       `lua:"user,optional" doc:"Role to log in as."`
	Password secret.Value `lua:"password,optional" doc:"Reference to its password."`
	Port     int          `lua:"port,optional" doc:"Port the server listens on."`
	SSLMode  string       `lua:"sslmode,optional" enum:"disable,allow,prefer,require,verify-ca,verify-full" doc:"How much encryption is asked of the server."`
}

// keepSettings is [env.NAME.backup.keep].
type keepSettings struct {
	Window  time.Duration `lua:"window" default:"720h" doc:"Everything younger is kept."`
	Last    int           `lua:"last" default:"1" doc:"So many of the newest good ones of each series."`
	Daily   int           `lua:"daily" default:"0" doc:"The newest of each of so many days that have one."`
	Weekly  int           `lua:"weekly" default:"0" doc:"The newest of each of so many weeks."`
	Monthly int           `lua:"monthly" default:"0" doc:"The newest of each of so many months."`
}

// Client is one run's view of the repository and of the servers.
type Client struct {
	env binding.Env
	set settings
}

func open(env binding.Env, set settings) (*Client, error) {
	if set.Port < 1 || set.Port > 65535 {
		return nil, fault.New(fault.Invalid, "port %d in the settings of backup is no port", set.Port)
	}
	if set.Keep == nil {
		set.Keep = &keepSettings{Window: 30 * 24 * time.Hour, Last: 1}
	}
	k := set.Keep
	if k.Window < 0 || min(k.Last, k.Daily, k.Weekly, k.Monthly) < 0 {
		return nil, fault.New(fault.Invalid, "`keep` in the settings of backup holds a number below zero")
	}
	c := &Client{env: env, set: set}
	_, err := c.location()
	return c, err
}
