package catalogue

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/webhost-systems/drhost/bindings/backup/postgres"
)

// Rules say what is kept. The zero value keeps the last good ones only.
type Rules struct {
	Window  time.Duration // everything that is younger
	Last    int           // so many of the newest
	Daily   int           // the newest of each of so many days that have one, in UTC
	Weekly  int           // of so many ISO weeks
	Monthly int           // of so many months
}

// Decision is what becomes of one backup. Why is never empty.
type Decision struct {
	Backup Backup
	Keep   bool
	Why    []string
}

// Floor is what WAL a kept base needs: everything from Start on, on its
// timeline and on those that came after it.
type Floor struct {
	ID       string
	Timeline uint32
	Start    postgres.LSN
}

// Floors are those of the kept bases, by system identifier.
type Floors map[string][]Floor

// Needs tells which kept base needs the WAL of a system that ends at end on a
// timeline; "" when none does. The WAL of a system that has no kept base is
// nobody's to judge: known is false, and it has to stay.
func (f Floors) Needs(system string, timeline uint32, end postgres.LSN) (id string, known bool) {
	for _, floor := range f[system] {
		if timeline >= floor.Timeline && end > floor.Start {
			return floor.ID, true
		}
	}
	return "", len(f[system]) > 0
}

// series are backups that can stand in for each other: of the same subject,
// of the same kind, from the same server.
type series struct{ subject, kind, host string }

// Retain decides about every backup. pinned tells who reads a backup now. It
// is a pure function: what it says to delete can be shown before it is done.
//
// Whatever the rules say, each series keeps its newest good backup and the
// newest that was verified; a physical one also the newest from before the
// window, because the moments at the beginning of the window are reached from
// there. What a kept backup needs is kept with it.
func Retain(rules Rules, now time.Time, all []Backup, pinned map[string][]Holder) ([]Decision, Floors) {
	why := map[string][]string{}
	keep := func(b Backup, format string, args ...any) {
		why[b.ID] = append(why[b.ID], fmt.Sprintf(format, args...))
	}
	sorted := slices.Clone(all)
	slices.SortStableFunc(sorted, func(a, b Backup) int { return b.Until.Compare(a.Until) })
	good := map[series][]Backup{}
	for _, b := range sorted {
		if age := now.Sub(b.Until); b.Until.IsZero() {
			// A manifest that cannot be read tells no age. It may be all there is.
			keep(b, "its age is not known")
		} else if age <= rules.Window {
			keep(b, "younger than %s", days(rules.Window))
		}
		for _, by := range pinned[b.ID] {
			keep(b, "read by %s", by)
		}
		if !b.Damaged() {
			of := series{b.Subject, b.Kind, b.Server.Host}
			good[of] = append(good[of], b)
		}
	}
	for _, of := range good {
		lastGood(of, keep)
		rules.series(of, now, keep)
	}
	needed(sorted, why)
	return decisions(sorted, why, rules), floors(sorted, why)
}

// lastGood keeps what must never go. of is sorted, the newest first.
func lastGood(of []Backup, keep func(Backup, string, ...any)) {
	keep(of[0], "the last good one")
	for _, b := range of {
		if !b.Checks.VerifiedAt.IsZero() {
			keep(b, "the last verified one")
			return
		}
	}
}

// series applies the keep rules to good backups, the newest first.
func (r Rules) series(of []Backup, now time.Time, keep func(Backup, string, ...any)) {
	for n, b := range of[:min(r.Last, len(of))] {
		keep(b, "one of the last %d (number %d)", r.Last, n+1)
	}
	for _, rule := range []struct {
		many int
		name string
		slot func(time.Time) string
	}{
		{r.Daily, "day", func(t time.Time) string { return t.Format("2006-01-02") }},
		{r.Weekly, "week", func(t time.Time) string { year, week := t.ISOWeek(); return fmt.Sprintf("%d-W%02d", year, week) }},
		{r.Monthly, "month", func(t time.Time) string { return t.Format("2006-01") }},
	} {
		seen, slots := "", 0
		for _, b := range of {
			slot := rule.slot(b.Until.UTC())
			if slot == seen {
				continue
			}
			if seen, slots = slot, slots+1; slots > rule.many {
				break
			}
			keep(b, "the newest of the %s %s", rule.name, slot)
		}
	}
	for _, b := range of {
		if b.Kind == Physical && now.Sub(b.Until) > r.Window {
			keep(b, "the beginning of the last %s is reached from it", days(r.Window))
			break
		}
	}
}

// needed keeps what a kept backup cannot be restored without.
func needed(all []Backup, why map[string][]string) {
	byID := map[string]Backup{}
	for _, b := range all {
		byID[b.ID] = b
	}
	var follow func(b Backup)
	follow = func(b Backup) {
		for _, id := range b.Needs {
			before := len(why[id])
			if text := "needed by " + b.ID; !slices.Contains(why[id], text) {
				why[id] = append(why[id], text)
			}
			if before == 0 {
				follow(byID[id])
			}
		}
	}
	for _, b := range all {
		if len(why[b.ID]) > 0 {
			follow(b)
		}
	}
}

func decisions(sorted []Backup, why map[string][]string, rules Rules) []Decision {
	var out []Decision
	for _, b := range sorted {
		d := Decision{Backup: b, Keep: len(why[b.ID]) > 0, Why: why[b.ID]}
		switch {
		case d.Keep:
		case b.Damaged():
			d.Why = []string{rules.outside() + "damaged: " + b.Checks.Reason}
		default:
			d.Why = []string{rules.outside() + "no rule keeps it"}
		}
		out = append(out, d)
	}
	return out
}

// outside says that a backup is older than what is kept in any case.
func (r Rules) outside() string {
	if r.Window == 0 {
		return ""
	}
	return "older than " + days(r.Window) + ", and "
}

// floors are those of kept bases, damaged ones too: their WAL may serve an
// older base.
func floors(all []Backup, why map[string][]string) Floors {
	out := Floors{}
	for _, b := range all {
		if b.Base != nil && len(why[b.ID]) > 0 {
			out[b.Base.System] = append(out[b.Base.System], Floor{b.ID, b.Base.Timeline, b.Base.Start})
		}
	}
	return out
}

func days(d time.Duration) string {
	if d >= 48*time.Hour && d%(24*time.Hour) == 0 {
		return fmt.Sprintf("%d days", d/(24*time.Hour))
	}
	return strings.TrimSuffix(strings.TrimSuffix(d.String(), "0s"), "0m")
}
