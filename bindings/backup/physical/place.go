package physical

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/webhost-systems/drhost/bindings/backup/catalogue"
	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/fault"
)

// Replacement is a restore that takes the place of a machine's cluster.
type Replacement struct {
	Name   string // of the cluster there; empty when there is one of the version
	Target Target
	Key    string // idempotency key of the call
	Over   bool   // whether a cluster that holds data may be replaced
}

// Replaced is what came of it.
type Replaced struct {
	Slot      Slot
	Stop      Stop
	Recovered Recovered
	Kept      string // folder of the cluster that was there before
}

// mark is the file in a data folder by which a restore recognises that it has
// happened.
const mark = "drhost_restored"

// Replace restores a chain on a machine: beside the cluster that is there,
// which is then stopped, moved aside and kept. When the restored one does not
// come up as it should, the old one is back in its place, stopped.
func (c *Chain) Replace(ctx context.Context, m *Machine, scratch string, r Replacement) (done Replaced, err error) {
	if err := r.Target.valid(); err != nil {
		return done, err
	}
	slot, err := m.Slot(ctx, c.Base.Major, r.Name)
	if err != nil {
		return done, err
	}
	done = Replaced{Slot: slot, Kept: besideOf(slot, "damaged", r.Key)}
	there, err := m.has(ctx, slot, r.Key)
	if err == nil && !there && !r.Over {
		err = m.vacant(ctx, slot, done.Kept)
	}
	if err != nil {
		return done, err
	}
	wal, err := os.MkdirTemp(scratch, "drhost-wal-")
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(wal)) }()
	if done.Stop, err = c.prepare(ctx, m.Clock, wal, r.Target); err != nil {
		return done, err
	}
	if !there {
		if err := c.put(ctx, m, wal, r, done); err != nil {
			return done, err
		}
	}
	return done, m.takeOver(ctx, &done, r.Key)
}

func besideOf(s Slot, what, key string) string {
	return s.Data + "." + what + "-" + catalogue.Suffix(key)
}

// prepare checks the whole log and finds where to stop, before the machine is
// touched.
func (c *Chain) prepare(ctx context.Context, clk clock.Clock, wal string, t Target) (Stop, error) {
	if len(c.links) == 0 {
		if t != (Target{Timeline: t.Timeline}) {
			return Stop{}, fault.New(fault.Conflict, "there is no archived log behind the backup %s: only what it holds itself can be restored", c.ID).NothingDone()
		}
		return c.ownEnd(ctx, clk, wal)
	}
	if err := c.fetch(ctx, wal); err != nil {
		return Stop{}, err
	}
	return c.find(wal, t)
}

// ownEnd finds where the log ends that the backup itself holds, by unpacking
// that part of it here. The folder is empty again afterwards, because the
// machine gets it with the backup.
func (c *Chain) ownEnd(ctx context.Context, clk clock.Clock, wal string) (Stop, error) {
	if err := c.Unpack(ctx, clk, func(in io.Reader) error { return untar(in, wal, "pg_wal/") }); err != nil {
		return Stop{}, err
	}
	stop, err := c.find(wal, Target{})
	return stop, errors.Join(err, clear(wal, false))
}

// put brings the cluster to the machine, beside the one there, and swaps them.
func (c *Chain) put(ctx context.Context, m *Machine, wal string, r Replacement, done Replaced) error {
	beside := besideOf(done.Slot, "restoring", r.Key)
	if err := m.room(ctx, path.Dir(done.Slot.Data), c.Base.PlainBytes+c.Bytes()); err != nil {
		return err
	}
	for _, words := range [][]string{{"rm", "-rf", beside}, {"mkdir", beside}, {"chmod", "700", beside}} {
		if _, err := m.Run(ctx, nil, words...); err != nil {
			return err
		}
	}
	err := c.deliver(ctx, m, beside, wal, done.Stop)
	if err == nil {
		_, err = m.Run(ctx, strings.NewReader(r.Key+"\n"), "tee", beside+"/"+mark)
	}
	if err == nil {
		_, err = m.Run(ctx, nil, "chown", "-R", done.Slot.Owner+":"+done.Slot.Owner, beside)
	}
	if err != nil {
		m.tidy(ctx, beside)
		return err
	}
	if err := m.control(ctx, done.Slot, "stop"); err != nil {
		m.tidy(ctx, beside)
		return err
	}
	if _, err := m.Run(ctx, nil, "test", "-e", done.Slot.Data); err == nil {
		if _, err := m.Run(ctx, nil, "mv", done.Slot.Data, done.Kept); err != nil {
			return err
		}
	} else if fault.KindOf(err) != fault.Failed { // the folder may be what was lost
		return err
	}
	_, err = m.Run(ctx, nil, "mv", beside, done.Slot.Data)
	return err
}

// tidy removes what was begun; what it cannot, the next attempt does.
func (m *Machine) tidy(ctx context.Context, folder string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	_, _ = m.Run(ctx, nil, "rm", "-rf", folder)
}

// has tells whether the restore with this key lies in its place already.
func (m *Machine) has(ctx context.Context, s Slot, key string) (bool, error) {
	if key == "" {
		return false, nil
	}
	out, err := m.Run(ctx, nil, "cat", s.Data+"/"+mark)
	if fault.KindOf(err) == fault.Failed {
		return false, nil // there is no such file
	}
	return err == nil && strings.TrimSpace(out) == key, err
}

// firstUserOID is the lowest number of what was not there when a cluster was
// made (PostgreSQL's FirstNormalObjectId).
const firstUserOID = 16384

// vacant refuses a cluster that holds more than a new one does, and says what
// would be out of service.
func (m *Machine) vacant(ctx context.Context, s Slot, kept string) error {
	out, err := m.Run(ctx, nil, "find", s.Data+"/base", "-maxdepth", "2", "-name", "[1-9]*")
	if fault.KindOf(err) == fault.Failed {
		return nil // there is no such folder: that may be what was lost
	}
	if err != nil {
		return err
	}
	databases, tables := 0, 0
	for line := range strings.Lines(out) {
		database, file, inside := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), s.Data+"/base/"), "/")
		if number, _ := strconv.Atoi(database); number >= firstUserOID && !inside {
			databases++
		} else if number, _ := strconv.Atoi(file); number >= firstUserOID {
			tables++
		}
	}
	if databases+tables == 0 {
		return nil
	}
	holds := fmt.Sprintf("%d databases", databases)
	switch databases {
	case 0:
		holds = "tables"
	case 1:
		holds = "a database"
	}
	return fault.New(fault.Conflict, "the cluster %d/%s on %s holds %s, which would be served no more", s.Major, s.Name, m.Host, holds).
		WithHint("replace = true (--replace) lets the backup take its place; it is stopped then, and kept as %s", kept).NothingDone()
}

// control stops or starts a cluster; without effect when it is so already.
func (m *Machine) control(ctx context.Context, s Slot, verb string) error {
	now, err := m.Slot(ctx, s.Major, s.Name)
	if err != nil || now.Online == (verb == "start") {
		return err
	}
	words := []string{"pg_ctlcluster", strconv.Itoa(s.Major), s.Name, verb}
	if verb == "stop" {
		words = append(words, "-m", "fast")
	}
	_, err = m.Run(ctx, nil, words...)
	if verb == "start" && fault.KindOf(err) == fault.Failed {
		return nil // a long recovery looks like that, too; await tells
	}
	return err
}

// takeOver starts the restored cluster and waits until it has recovered.
func (m *Machine) takeOver(ctx context.Context, done *Replaced, key string) error {
	binding.Progress(ctx, "starting the restored cluster on %s", m.Host)
	err := m.control(ctx, done.Slot, "start")
	if err == nil {
		done.Recovered, err = m.await(ctx, done.Slot)
	}
	if err == nil {
		laid := Laid{Stop: done.Stop}
		err = laid.judge(done.Recovered)
	}
	if err == nil {
		return m.disarm(ctx, done.Slot)
	}
	if ctx.Err() != nil || fault.KindOf(err) == fault.Unavailable {
		return err // it may come up yet; the same call looks again
	}
	return errors.Join(err, m.giveBack(ctx, *done, key))
}

// giveBack puts the old cluster back in its place, stopped, because it was
// found wanting; the restored one stays beside it to be looked at.
func (m *Machine) giveBack(ctx context.Context, done Replaced, key string) error {
	if err := m.control(ctx, done.Slot, "stop"); err != nil {
		return err
	}
	failed := besideOf(done.Slot, "failed", key)
	for _, words := range [][]string{{"rm", "-rf", failed}, {"mv", done.Slot.Data, failed}, {"mv", done.Kept, done.Slot.Data}} {
		if _, err := m.Run(ctx, nil, words...); err != nil {
			return err
		}
	}
	return nil
}

// disarm takes the settings of the recovery out again. The file keeps its
// owner.
func (m *Machine) disarm(ctx context.Context, s Slot) error {
	name := s.Data + "/" + autoConf
	text, err := m.Run(ctx, nil, "cat", name)
	if err != nil {
		return err
	}
	_, err = m.Run(ctx, strings.NewReader(disarmed(text)), "tee", name)
	return err
}
