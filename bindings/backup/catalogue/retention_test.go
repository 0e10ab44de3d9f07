package catalogue

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/webhost-systems/drhost/bindings/backup/artifact"
	"github.com/webhost-systems/drhost/bindings/backup/postgres"
)

var noon = time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

// old is a good dump that is so many days old.
func old(id string, days float64, edit ...func(*Backup)) Backup {
	b := Backup{Manifest: Manifest{Format: Format, ID: id, Kind: Logical, Subject: "shop", Until: noon.Add(-time.Duration(days * float64(day))),
		Server: Origin{Host: "a"}, Files: []artifact.Record{{Name: "dump"}}}}
	for _, e := range edit {
		e(&b)
	}
	return b
}

func damaged(b *Backup)  { b.Checks.Reason = "a bit flipped" }
func verified(b *Backup) { b.Checks.VerifiedAt = noon }
func ageless(b *Backup)  { b.Until = time.Time{}; b.Checks.Reason = "its manifest cannot be read" }
func from(host string) func(*Backup) {
	return func(b *Backup) { b.Server.Host = host }
}
func needs(ids ...string) func(*Backup) {
	return func(b *Backup) { b.Needs, b.Kind = ids, Files }
}
func base(timeline uint32, start postgres.LSN) func(*Backup) {
	return func(b *Backup) {
		b.Kind, b.Base = Physical, &Base{System: "7001", Timeline: timeline, Start: start, Stop: start + 100}
	}
}

func TestRetain(t *testing.T) {
	month := Rules{Window: 30 * day}
	for _, c := range []struct {
		name  string
		rules Rules
		all   []Backup
		pins  string
		keep  string
	}{
		{"nothing", month, nil, "", ""},
		{"the window", month, []Backup{old("new", 1), old("edge", 30), old("late", 30.01)}, "", "edge new"},
		{"the last good one, however old", month, []Backup{old("a", 300), old("b", 200)}, "", "b"},
		{"a damaged one is not the last good one", month, []Backup{old("a", 300), old("b", 200, damaged)}, "", "a"},
		{"a damaged one within the window is evidence", month, []Backup{old("a", 300), old("b", 2, damaged)}, "", "a b"},
		{"only damaged ones", month, []Backup{old("a", 300, damaged)}, "", ""},
		{"the last verified one, too", month, []Backup{old("a", 90, verified), old("b", 80, verified), old("c", 70)}, "", "b c"},
		{"each server has a last good one", month, []Backup{old("a", 90, from("x")), old("b", 80, from("y")), old("c", 85, from("y"))}, "", "a b"},
		{"a clock ahead of ours", month, []Backup{old("a", -400), old("b", 1)}, "", "a b"},
		{"what tells no age", month, []Backup{old("a", 1), old("b", 0, ageless)}, "", "a b"},
		{"last", Rules{Last: 2}, []Backup{old("a", 3), old("b", 2), old("c", 1)}, "", "b c"},
		{"last counts good ones", Rules{Last: 2}, []Backup{old("a", 3), old("b", 2, damaged), old("c", 1)}, "", "a c"},
		{"daily", Rules{Daily: 2}, []Backup{old("a", 4.2), old("b", 4.1), old("c", 2.1), old("d", 2), old("e", 9)}, "", "b d"},
		{"weekly", Rules{Weekly: 3}, []Backup{old("mon", 1), old("sun", 2), old("sat", 3), old("before", 9), old("long ago", 80)}, "", "before mon sun"},
		{"monthly", Rules{Monthly: 2}, []Backup{old("march", 1), old("march too", 20), old("february", 40), old("january", 70)}, "", "february march"},
		{"a year without a backup", Rules{Monthly: 2}, []Backup{old("a", 400), old("b", 800), old("c", 1200)}, "", "a b"},
		{"what is read", month, []Backup{old("a", 90), old("b", 80), old("c", 1)}, "a", "a c"},
		{"what is needed", month, []Backup{old("full", 99, needs()), old("inc", 50, needs("full")), old("new", 1, needs("inc")), old("other", 60, needs())}, "", "full inc new"},
		{"what a pinned one needs", month, []Backup{old("full", 99, needs()), old("inc", 50, needs("full")), old("new", 1, needs())}, "inc", "full inc new"},
		{"the beginning of the window", month, []Backup{old("a", 50, base(1, 10)), old("b", 31, base(1, 20)), old("c", 1, base(1, 30))}, "", "b c"},
	} {
		t.Run(c.name, func(t *testing.T) {
			pins := map[string][]Holder{}
			if c.pins != "" {
				pins[c.pins] = []Holder{{Owner: "me", What: "a restore"}}
			}
			decided, _ := Retain(c.rules, noon, c.all, pins)
			var kept []string
			for _, d := range decided {
				if len(d.Why) == 0 {
					t.Errorf("%s has no reason", d.Backup.ID)
				}
				if d.Keep {
					kept = append(kept, d.Backup.ID)
				}
			}
			slices.Sort(kept)
			if got := strings.Join(kept, " "); got != c.keep || len(decided) != len(c.all) {
				t.Errorf("kept %q, want %q: %+v", got, c.keep, decided)
			}
		})
	}
}

func TestWALThatIsNeeded(t *testing.T) {
	all := []Backup{old("gone", 90, base(1, 0x1000)), old("anchor", 40, base(1, 0x5000)), old("new", 1, base(2, 0x9000)), old("dump", 1)}
	_, floors := Retain(Rules{Window: 30 * day}, noon, all, nil)
	for _, c := range []struct {
		system   string
		timeline uint32
		end      postgres.LSN
		id       string
		known    bool
	}{
		{"7001", 1, 0x4000, "", true}, {"7001", 1, 0x5000, "", true}, {"7001", 1, 0x5001, "anchor", true}, {"7001", 1, 0xffff, "anchor", true},
		{"7001", 2, 0x6000, "anchor", true}, {"7001", 3, 0x9500, "new", true}, {"7001", 2, 0x3000, "", true}, {"7002", 1, 0x9000, "", false},
	} {
		if id, known := floors.Needs(c.system, c.timeline, c.end); id != c.id || known != c.known {
			t.Errorf("%+v: %q %v", c, id, known)
		}
	}
	_, floors = Retain(Rules{}, noon, []Backup{old("only", 1, base(2, 0x9000))}, nil)
	if id, known := floors.Needs("7001", 1, 0xffff); id != "" || !known {
		t.Error("a timeline that was left before the base:", id, known)
	}
}

// TestRetainNeverLosesTheLastGoodOne tries many repositories and rules.
func TestRetainNeverLosesTheLastGoodOne(t *testing.T) {
	for n := range 2000 {
		var all []Backup
		for i := range n % 7 {
			b := old(fmt.Sprint(i), float64((n*31+i*17)%100))
			if (n>>i)&1 == 1 {
				damaged(&b)
			}
			all = append(all, b)
		}
		decided, _ := Retain(Rules{Last: n % 3, Daily: n % 2, Window: time.Duration(n%40) * day}, noon, all, nil)
		newest, kept := "", false
		for _, d := range decided { // the newest first
			if !d.Backup.Damaged() && newest == "" {
				newest, kept = d.Backup.ID, d.Keep
			}
		}
		if newest != "" && !kept {
			t.Fatalf("%d: %+v", n, decided)
		}
	}
}
