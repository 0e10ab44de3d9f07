package torture

// Speed is how many times faster than life the worlds of a campaign wait.
const Speed = 500

// Schedules are the ways in which a run's deaths follow one another.
var Schedules = []string{
	"each",   // at every boundary once, each life at the next new one
	"twice",  // at every boundary twice in a row
	"some",   // at a fifth of the boundaries, so that more happens in between
	"few",    // at one in twenty-five
	"early",  // after a few boundaries of each life, often in its replay
	"late",   // while slow providers are still at what was asked for
	"single", // once, then the run is left alone
}

// undoFails are the drills whose undo fails, with the reason why it has to. The
// undos that die are held against that end.
func undoFails() map[string]string {
	lost := "the database that the application had before is lost for good, and it is not led back to it"
	return map[string]string{"database_restore": lost, "database_last_replica": lost, "database_storm": lost, "region_outage": lost, "region_full": lost,
		"region_dns_cut": lost, "region_under_fire": lost}
}

// other is another good end of a drill, to which a run may come that has died,
// and the line that its world lacks then.
type other struct{ message, without string }

// otherEnds are the drills that have one, because their world heals by itself
// in the middle of a step that only looks: a power loss takes what the run has
// seen before, and the next life finds that all is well.
func otherEnds() map[string]other {
	return map[string]other{"region_came_back": {"Customers are answered; nothing was changed", "message [DRILL] Outage: region ams"}}
}

// Sample is what has to do in a minute.
func Sample(drill string, _ Undisturbed) []Trial {
	return []Trial{{Drill: drill, Schedule: "few", Death: "mixed", Seed: 1}, {Drill: drill, Undo: true, Schedule: "few", Death: "mixed", Seed: 1}}
}

// share is how much of a campaign's chance-driven part is held for all drills
// together: more drills get less of it each, so that a campaign stays under an
// hour.
const share = 12

// Everything is the whole campaign for one of so many drills: every boundary
// of its run and of its undo by kill -9 and by power loss, and then as many
// other orders and kinds of deaths as there is time for.
func Everything(drills int) func(drill string, u Undisturbed) []Trial {
	more := max(1, share/max(drills, 1))
	return func(drill string, u Undisturbed) (out []Trial) {
		for _, undo := range []bool{false, true} {
			add := func(schedule, death string, seed int64) {
				out = append(out, Trial{Drill: drill, Undo: undo, Schedule: schedule, Death: death, Seed: seed})
			}
			add("each", Kill, 0)
			add("each", Power, 0)
			if more > 2 {
				add("each", Torn, 0)
				add("twice", Kill, 0)
				add("twice", Power, 0)
				add("twice", "mixed", 1)
			}
			for seed := range int64(more) {
				add("some", Torn, seed+1)
				add("some", "mixed", seed+1)
				add("early", "mixed", seed+1)
			}
			add("late", Kill, 0)
		}
		return append(out, singles(drill, u.Boundaries, 3*more)...)
	}
}

// singles are n runs that die once, evenly spread over their boundaries, by
// turns in each way.
func singles(drill string, boundaries, n int) (out []Trial) {
	n = min(n, boundaries)
	for i := range n {
		out = append(out, Trial{Drill: drill, Schedule: "single", Death: []string{Kill, Power, Torn}[i%3], At: 1 + i*boundaries/n})
	}
	return out
}
