package torture

// Speed is how many times faster than life the worlds of a campaign wait.
const Speed = 500

// Schedules are the ways in which a run's deaths follow one another.
var Schedules = []string{
	"each",   // at every boundary once, each life at the next new one
	"twice",  // at every boundary twice in a row
	"some",   // at a fifth of the boundaries, so that more happens in between
	"early",  // after a few boundaries of each life, often in its replay
	"single", // once, then the run is left alone
}

// Everything is the whole campaign for one drill.
func Everything(drill string, u Undisturbed) []Trial {
	var out []Trial
	for _, undo := range []bool{false, true} {
		for _, death := range []string{Kill, Power, Torn, "mixed"} {
			out = append(out, Trial{Drill: drill, Undo: undo, Schedule: "each", Death: death})
		}
		for seed := range int64(3) {
			out = append(out, Trial{Drill: drill, Undo: undo, Schedule: "some", Death: Kill, Seed: seed + 1},
				Trial{Drill: drill, Undo: undo, Schedule: "some", Death: Power, Seed: seed + 1},
				Trial{Drill: drill, Undo: undo, Schedule: "early", Death: "mixed", Seed: seed + 1})
		}
		out = append(out, Trial{Drill: drill, Undo: undo, Schedule: "twice", Death: "mixed"})
	}
	return out
}
