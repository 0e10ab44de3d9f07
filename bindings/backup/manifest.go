package backup

import (
	"path/filepath"
	"time"
)

const (
	manifestName = "manifest.json"
	checksName   = "checks.json"
	dumpName     = "dump.pgdump"
	globalsName  = "globals.sql"
)

// manifest is written last: with it a backup exists, without it there is none.
type manifest struct {
	Format    int              `json:"format"`
	ID        string           `json:"id"`
	Kind      string           `json:"kind"` // "logical"
	Database  string           `json:"database"`
	Label     string           `json:"label,omitempty"`
	Key       string           `json:"key,omitempty"` // idempotency key of the call that made it
	Until     time.Time        `json:"until"`         // every transaction that had committed by then is in
	Started   time.Time        `json:"started"`
	Finished  time.Time        `json:"finished"`
	Server    origin           `json:"server"`
	Tool      string           `json:"tool"`       // version of pg_dump
	ToolMajor int              `json:"tool_major"` // pg_restore has to be at least this
	Files     []artifact       `json:"files"`
	Rows      map[string]int64 `json:"rows"`               // by table, on the dump's own snapshot
	Settings  []string         `json:"settings,omitempty"` // ALTER DATABASE ... SET, as name=value
	Restore   []string         `json:"restore"`            // commands that restore it without drhost
}

// origin is the database as its server described it.
type origin struct {
	Host     string `json:"host"`
	Version  string `json:"version"`
	Major    int    `json:"major"`
	Encoding string `json:"encoding"`
	Collate  string `json:"collate"`
	CType    string `json:"ctype"`
}

// artifact is one stored file.
type artifact struct {
	Name   string `json:"name"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// checks is what was found out about a backup later.
type checks struct {
	VerifiedAt time.Time `json:"verified_at,omitzero"`
	Depth      string    `json:"depth,omitempty"` // "read" or "restored"
	DamagedAt  time.Time `json:"damaged_at,omitzero"`
	Reason     string    `json:"reason,omitempty"`
}

// stored is a backup in the repository.
type stored struct {
	manifest
	checks checks
	dir    string
}

func (s stored) file(name string) string { return filepath.Join(s.dir, name) }

func (s stored) bytes() (sum int64) {
	for _, f := range s.Files {
		sum += f.Bytes
	}
	return sum
}

func (m manifest) total() (sum int64) {
	for _, n := range m.Rows {
		sum += n
	}
	return sum
}

// Backup is a backup as a runbook sees it.
type Backup struct {
	ID       string         `lua:"id" doc:"Names it in backup.restore and backup.verify."`
	Database string         `lua:"database" doc:"Database it holds."`
	Label    string         `lua:"label,optional" doc:"What it was called when it was made."`
	Until    time.Time      `lua:"data_until" doc:"Every transaction that had committed by then is in: what comes later is lost."`
	Age      *time.Duration `lua:"age" doc:"How long ago that is; absent right after it was made."`
	Finished time.Time      `lua:"finished" doc:"When it was complete."`
	Host     string         `lua:"host" doc:"Server it was taken from."`
	Version  string         `lua:"version" doc:"PostgreSQL version of that server."`
	Bytes    int64          `lua:"bytes" doc:"Size in the repository."`
	Rows     int64          `lua:"rows" doc:"Rows in all tables."`
	Verified *time.Time     `lua:"verified" doc:"When it was last verified or restored with success; absent when never."`
	Damaged  string         `lua:"damaged,optional" doc:"Why it cannot be used, when a check found that."`
	Path     string         `lua:"path" doc:"Its folder."`
}

func (s stored) show(now time.Time) Backup {
	b := Backup{ID: s.ID, Database: s.Database, Label: s.Label, Until: s.Until, Finished: s.Finished, Host: s.Server.Host,
		Version: s.Server.Version, Bytes: s.bytes(), Rows: s.total(), Damaged: s.checks.Reason, Path: s.dir}
	if !now.IsZero() {
		age := max(now.Sub(s.Until), 0).Round(time.Second)
		b.Age = &age
	}
	if !s.checks.VerifiedAt.IsZero() && s.checks.Reason == "" {
		at := s.checks.VerifiedAt
		b.Verified = &at
	}
	return b
}
