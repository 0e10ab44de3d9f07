package backup

import (
	"time"

	"github.com/webhost-systems/drhost/bindings/backup/catalogue"
)

// Backup is a backup as a runbook sees it.
type Backup struct {
	ID        string         `lua:"id" doc:"Names it in backup.restore and backup.verify."`
	Database  string         `lua:"database" doc:"Database, cluster or tree that it holds."`
	Kind      string         `lua:"kind" doc:"\"logical\" (a dump of one database), \"physical\" (a copy of a cluster) or \"files\"."`
	Label     string         `lua:"label,optional" doc:"What it was called when it was made."`
	Until     time.Time      `lua:"data_until" doc:"Every transaction that had committed by then is in: what comes later is lost."`
	Age       *time.Duration `lua:"age" doc:"How long ago that is; absent right after it was made."`
	Finished  time.Time      `lua:"finished" doc:"When it was complete."`
	Host      string         `lua:"host" doc:"Server it was taken from."`
	Version   string         `lua:"version" doc:"PostgreSQL version of that server."`
	Bytes     int64          `lua:"bytes" doc:"Size in the repository."`
	Rows      int64          `lua:"rows" doc:"Rows in all tables."`
	Encrypted bool           `lua:"encrypted" doc:"Whether a key is needed to restore it."`
	Verified  *time.Time     `lua:"verified" doc:"When it was last verified or restored with success; absent when never."`
	Damaged   string         `lua:"damaged,optional" doc:"Why it cannot be used, when a check found that."`
	Path      string         `lua:"path" doc:"Its folder in the repository."`
}

func show(at *catalogue.Catalogue, b catalogue.Backup, now time.Time) Backup {
	out := Backup{ID: b.ID, Database: b.Subject, Kind: b.Kind, Label: b.Label, Until: b.Until, Finished: b.Finished, Host: b.Server.Host, Version: b.Server.Version,
		Bytes: b.Bytes(), Rows: b.Total(), Damaged: b.Checks.Reason, Path: at.Store.Place() + "/" + b.Folder}
	for _, f := range b.Files {
		out.Encrypted = out.Encrypted || f.Encryption != ""
	}
	if !now.IsZero() {
		age := max(now.Sub(b.Until), 0).Round(time.Second)
		out.Age = &age
	}
	if !b.Checks.VerifiedAt.IsZero() && !b.Damaged() {
		at := b.Checks.VerifiedAt
		out.Verified = &at
	}
	return out
}
