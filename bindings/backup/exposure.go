package backup

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/webhost-systems/drhost/bindings/backup/catalogue"
	"github.com/webhost-systems/drhost/bindings/backup/physical"
	"github.com/webhost-systems/drhost/host/binding"
)

// archived is the kind of an exposure that rests on an archived log.
const archived = "archive"

// subjects are those that have backups or attempts, and those that should.
func (e exposed) subjects(left []catalogue.Incomplete) []string {
	names := append(catalogue.Subjects(e.all, left), slices.Collect(maps.Keys(e.set))...)
	slices.Sort(names)
	return slices.Compact(names)
}

func (e exposed) of(subject string, left []catalogue.Incomplete) Exposure {
	x := Exposure{Database: subject, Tier: e.set[subject].Tier, Incomplete: len(left)}
	var good []catalogue.Backup
	for _, b := range e.all {
		if b.Subject != subject {
			continue
		}
		x.Backups++
		x.Bytes += b.Bytes()
		if b.Damaged() {
			x.Damaged++
			continue
		}
		good = append(good, b)
		if at := b.Checks.VerifiedAt; !at.IsZero() && (x.Verified == nil || at.After(*x.Verified)) {
			x.Verified = &at
		}
	}
	if len(good) > 0 {
		x.reaches(good[0].Until, good[0].Kind)
	}
	for _, l := range e.logs {
		if from, ok := e.carries(l, subject, good); ok {
			x.log(l, l.Reaches(from.Base.Stop))
		}
	}
	if x.Until != nil {
		age := max(e.now.Sub(*x.Until), 0).Round(time.Second)
		x.Age = &age
	}
	x.apart(good)
	e.judge(&x)
	return x
}

// reaches keeps the latest moment.
func (x *Exposure) reaches(until time.Time, kind string) {
	if x.Until == nil || until.After(*x.Until) {
		x.Until, x.Kind = &until, kind
	}
}

// carries finds the copy of a cluster from which an archived log carries a
// subject on, the newest one. A database is carried by the cluster that holds
// it, when both were copied from the same host.
func (e exposed) carries(l physical.Exposure, subject string, good []catalogue.Backup) (from catalogue.Backup, ok bool) {
	for _, b := range e.all {
		if b.Base == nil || b.Base.System != l.System || b.Damaged() {
			continue
		}
		if b.Subject == subject || slices.Contains(b.Base.Databases, subject) &&
			slices.ContainsFunc(good, func(own catalogue.Backup) bool {
				return own.Kind == catalogue.Logical && own.Server.Host == b.Server.Host
			}) {
			return b, true
		}
	}
	return catalogue.Backup{}, false
}

// log takes an archived log into account; reaches tells whether it goes on from
// the copy without a gap.
func (x *Exposure) log(l physical.Exposure, reaches bool) {
	updated := l.Updated
	x.Archived, x.Behind, x.Alarms = &updated, l.Behind, l.Words()
	if reaches {
		x.reaches(l.Until, archived)
	}
}

// apart works out what backups that rest on no log can cost: the time between
// them, and how long one takes.
func (x *Exposure) apart(good []catalogue.Backup) {
	if len(good) == 0 || x.Kind == archived {
		return
	}
	newest := good[0]
	worst := max(newest.Finished.Sub(newest.Until), 0)
	before := slices.IndexFunc(good[1:], func(b catalogue.Backup) bool { return b.Kind == newest.Kind && b.Server.Host == newest.Server.Host })
	if before < 0 {
		x.Notes = append(x.Notes, "there is one backup only, so that nothing is known of the time between them")
		return
	}
	worst += newest.Until.Sub(good[1+before].Until)
	worst = worst.Round(time.Second)
	x.Worst = &worst
}

// judge holds the age against the objective.
func (e exposed) judge(x *Exposure) {
	name := e.set[x.Database].Objective
	if name == "" {
		name = x.Database
	}
	target, known := e.targets[name]
	switch {
	case !known && e.set[x.Database].Objective != "":
		x.Exceeded = true // a promise that nobody can look up is not kept
		x.Notes = append(x.Notes, fmt.Sprintf("there is no [objectives.%s]%s", name, meant(name, e.targets)))
		return
	case !known || target.RPO == 0:
		x.Notes = append(x.Notes, "it has no objective: [objectives."+name+"] rpo, or `objective` in the settings")
		return
	}
	x.Objective, x.RPO = name, &target.RPO
	switch {
	case x.Age == nil:
		x.Exceeded = true
		x.Notes = append(x.Notes, "there is no backup that is good")
	case *x.Age > target.RPO:
		x.Exceeded = true
	case *x.Age > target.RPO/2:
		x.Endangered = true
	}
	if x.Worst != nil && *x.Worst > target.RPO {
		x.Notes = append(x.Notes, fmt.Sprintf("backups so far apart lose up to %s, more than the objective of %s: make them more often, or run drhost backup archive", *x.Worst, target.RPO))
	}
}

func meant(name string, known map[string]binding.Objective) string {
	if near := binding.Nearest(name, slices.Sorted(maps.Keys(known))); near != "" {
		return fmt.Sprintf("; did you mean %q?", near)
	}
	return ""
}
