// Package catalogue says what is in a repository: manifests, what checks found,
// who is at work there and what may go. A backup exists when its manifest does.
// The package must never write a manifest before everything it names was read
// back, never delete what a living restore reads or the last good backup of
// anything, and never trust that two clocks agree.
package catalogue

import (
	"time"

	"github.com/webhost-systems/drhost/bindings/backup/artifact"
	"github.com/webhost-systems/drhost/bindings/backup/postgres"
)

const (
	// ManifestName and ChecksName are the objects beside a backup's artifacts.
	ManifestName = "manifest.json"
	ChecksName   = "checks.json"
	// Format is what this version writes; it reads 1, too.
	Format = 2
)

// Kinds of backup.
const (
	Logical  = "logical"
	Physical = "physical"
	Files    = "files"
)

// Manifest is written last: with it a backup exists, without it there is none.
type Manifest struct {
	Format     int               `json:"format"`
	ID         string            `json:"id"`
	Kind       string            `json:"kind"`
	Subject    string            `json:"subject,omitempty"`  // what was backed up: a database, a cluster, a tree
	Database   string            `json:"database,omitempty"` // of a logical backup; all that format 1 has
	Label      string            `json:"label,omitempty"`
	Key        string            `json:"key,omitempty"` // idempotency key of the call that made it
	Until      time.Time         `json:"until"`         // every transaction that had committed by then is in
	Started    time.Time         `json:"started"`
	Finished   time.Time         `json:"finished"`
	Server     Origin            `json:"server"`
	Tool       string            `json:"tool"`       // version of the program that made it
	ToolMajor  int               `json:"tool_major"` // what restores it has to be at least this
	Files      []artifact.Record `json:"files"`
	Recipients []string          `json:"recipients,omitempty"` // whose keys open it
	Rows       map[string]int64  `json:"rows,omitempty"`       // by table, on the dump's own snapshot
	Hashes     map[string]string `json:"hashes,omitempty"`     // of the content, by table
	Settings   []string          `json:"settings,omitempty"`   // ALTER DATABASE ... SET, as name=value
	Size       int64             `json:"size,omitempty"`       // of the database on its server, in bytes
	Base       *Base             `json:"base,omitempty"`       // of a physical backup
	Tree       *Tree             `json:"tree,omitempty"`       // of a backup of files
	Needs      []string          `json:"needs,omitempty"`      // ids of backups that it cannot be restored without
	Restore    []string          `json:"restore"`              // commands that restore it without drhost
}

// Origin is the server, and of a logical backup the database, as the server
// described it.
type Origin struct {
	Host     string `json:"host"`
	Version  string `json:"version"`
	Major    int    `json:"major"`
	Encoding string `json:"encoding,omitempty"`
	Collate  string `json:"collate,omitempty"`
	CType    string `json:"ctype,omitempty"`
}

// Base is where a physical backup lies in the WAL: it needs everything of
// Start to Stop, and reaches as far on as there is WAL.
type Base struct {
	System   string       `json:"system"` // the cluster's system identifier
	Timeline uint32       `json:"timeline"`
	Start    postgres.LSN `json:"start"`
	Stop     postgres.LSN `json:"stop"`
	// Of moments, only those at Exact or later can be restored exactly: what
	// committed until then may be in.
	Exact       time.Time `json:"exact,omitzero"`
	SegmentSize int64     `json:"segment_size,omitempty"`
	PlainBytes  int64     `json:"plain_bytes,omitempty"` // of the unpacked data folder, about
	Databases   []string  `json:"databases,omitempty"`
}

// Tree is what a backup of files holds.
type Tree struct {
	Root     string   `json:"root"`               // the folder, as it was named
	Base     string   `json:"base,omitempty"`     // id of the whole backup that this one differs from; none: it is whole
	Why      string   `json:"why,omitempty"`      // why it is whole
	Entries  int      `json:"entries"`            // files, folders and links in the tree
	Bytes    int64    `json:"bytes"`              // of its files
	Stored   int64    `json:"stored"`             // of the files that are stored here
	Ignored  int      `json:"ignored,omitempty"`  // devices, pipes and sockets
	Vanished int      `json:"vanished,omitempty"` // gone before they were read
	Torn     []string `json:"torn,omitempty"`     // files that changed while they were read
}

// Total is the number of rows in all tables.
func (m Manifest) Total() (sum int64) {
	for _, n := range m.Rows {
		sum += n
	}
	return sum
}

// Bytes is the size in the repository.
func (m Manifest) Bytes() (sum int64) {
	for _, f := range m.Files {
		sum += f.Bytes
	}
	return sum
}

// File returns the record of an artifact by its plain name.
func (m Manifest) File(plain string) (artifact.Record, bool) {
	for _, f := range m.Files {
		if f.Plain() == plain {
			return f, true
		}
	}
	return artifact.Record{}, false
}

// Depths of checks, each of which includes those before it.
const (
	DepthSums     = "sums"     // what is stored is what was stored
	DepthRead     = "read"     // and can be read to its end
	DepthRestored = "restored" // and was restored and compared
)

// Checks is what was found out about a backup later.
type Checks struct {
	SummedAt   time.Time `json:"summed_at,omitzero"`   // sums alone make no backup verified
	VerifiedAt time.Time `json:"verified_at,omitzero"` // at Depth
	Depth      string    `json:"depth,omitempty"`      // "read" or "restored"
	Compared   []string  `json:"compared,omitempty"`   // what: "checksums", "archive to its end", "row counts"
	DamagedAt  time.Time `json:"damaged_at,omitzero"`
	Reason     string    `json:"reason,omitempty"` // why it cannot be used
}

// Backup is one in the repository.
type Backup struct {
	Manifest
	Checks Checks
	Folder string // its objects lie in there
}

// Damaged tells whether it is known that it cannot be used.
func (b Backup) Damaged() bool { return b.Checks.Reason != "" }
