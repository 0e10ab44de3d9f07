package backup

import (
	"context"
	"path/filepath"
	"regexp"
	"time"

	"github.com/webhost-systems/drhost/bindings/backup/artifact"
	"github.com/webhost-systems/drhost/bindings/backup/physical"
	"github.com/webhost-systems/drhost/bindings/backup/postgres"
	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

// archiveSettings is [env.NAME.backup.archive].
type archiveSettings struct {
	Spool     string        `lua:"spool" default:"spool" doc:"Folder of this machine that holds the log until the repository has it."`
	SpoolSize int           `lua:"spool_size" default:"4096" doc:"MiB that it may hold; the server keeps what is more."`
	Slot      string        `lua:"slot" default:"drhost" doc:"Replication slot; made when it is missing."`
	Every     time.Duration `lua:"every" default:"2s" doc:"How often what has come of a segment that is not full is shipped: the most that the loss of the server costs, but for the way to the repository."`
	SlotAlarm int           `lua:"slot_alarm" default:"4096" doc:"MiB of log held back by the server from which on there is an alarm; half of its max_slot_wal_keep_size when that is less."`
}

var slotForm = regexp.MustCompile(`^[a-z0-9_]{1,63}$`)

func (s archiveSettings) valid() error {
	switch {
	case !slotForm.MatchString(s.Slot):
		return fault.New(fault.Invalid, "`slot` in the settings of backup.archive is %q: small letters, digits and _ are possible", s.Slot)
	case s.Every < 100*time.Millisecond || s.Every > 10*time.Minute:
		return fault.New(fault.Invalid, "`every` in the settings of backup.archive is %s: 100ms to 10m are possible", s.Every)
	case s.SpoolSize < 64 || s.SlotAlarm < 0:
		return fault.New(fault.Invalid, "`spool_size` in the settings of backup.archive is at least 64 MiB, `slot_alarm` at least 0")
	}
	return nil
}

type archiveArgs struct {
	Host string `lua:"host" doc:"Name or address of the server, with :port when it is not the configured one."`
}

func archive() *binding.Service {
	return binding.Serve("archive", "Receive a server's write-ahead log through a replication slot and ship it into the repository, seconds behind the last commit.",
		"drhost backup archive --host db.example.com", (*Client).archive)
}

func (c *Client) archive(ctx context.Context, a archiveArgs, say binding.Say) error {
	set := c.set.Archive
	if set == nil {
		set = &archiveSettings{Spool: "spool", SpoolSize: 4096, Slot: "drhost", Every: 2 * time.Second, SlotAlarm: 4096}
	}
	if err := set.valid(); err != nil {
		return err
	}
	srv, err := c.server(a.Host)
	if err != nil {
		return err
	}
	to, err := artifact.ParseRecipients(c.set.Recipients)
	if err != nil {
		return err
	}
	spool, err := c.absolute(set.Spool)
	if err != nil {
		return err
	}
	place, err := c.location()
	if err != nil {
		return err
	}
	kept := &renewed{client: c, place: place}
	defer kept.Close()
	archiver := &physical.Archiver{
		Source: physical.Source{Way: postgres.Way{Net: c.env.Net, Clock: c.env.Clock, ConnectTimeout: c.set.ConnectTimeout}, Server: srv, Clock: c.env.Clock},
		Log:    physical.Log{Store: kept, Seal: artifact.Seal{Recipients: to}},
		Slot:   set.Slot, Spool: filepath.Join(spool), Limit: int64(set.SpoolSize) << 20, Every: set.Every, Owner: owner(),
		Patience: 75 * time.Second, SlotAlarm: int64(set.SlotAlarm) << 20, Report: say}
	say(false, "archiving the log of "+a.Host+" into "+c.set.Repository)
	if err := archiver.Run(ctx); err != nil {
		return err
	}
	say(false, "stopped; what was received is in the repository")
	return nil
}
