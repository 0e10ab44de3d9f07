package words

import (
	"fmt"
	"time"
)

// What a script may use. Who goes beyond is stopped or refused with an error
// that names the line; Bounds says all of it for the reference.
const (
	MaxInstructions = 10_000_000             // between two calls of a provider
	MaxCPU          = 600 * time.Millisecond // of one processor, between two calls
	MaxHeap         = 160 << 20              // bytes by which the heap may grow
	MaxString       = 8 << 20                // bytes of one string
	MaxPattern      = 4 << 10                // bytes of a pattern
	MaxPatternSteps = 20_000_000             // of one match
	MaxCalls        = 512                    // Lua functions inside each other
	MaxPcalls       = 180                    // protected calls inside each other
	MaxResults      = 4096                   // values of unpack and string.byte
	MaxList         = 1 << 20                // items of a list that # counts
	MaxSource       = 256 << 10              // bytes of a file
	MaxTitle        = 200                    // bytes of a title or a branch's name
	MaxText         = 16 << 10               // bytes of a note
	MaxMessage      = 4 << 10                // bytes of an error, a question, a printed line
	MaxItems        = 100_000                // values in what crosses into the journal
	MaxPlain        = 1 << 20                // bytes of text in it; a list of 1000 servers has 400 KiB
	MaxDepth        = 32                     // tables inside each other in it
	MaxJoined       = 8 << 20                // bytes that branches return together
	MaxBranches     = 1000                   // of one parallel or each
	MaxAtOnce       = 512                    // of them at the same time
	MaxAlive        = 600                    // of all that are under way
	MaxAttempts     = 100                    // of a step or a retry
	MaxNested       = 30                     // steps and branches inside each other
	MaxRecords      = 50_000                 // in the journal of a run
	MaxJournal      = 32 << 20               // bytes in it
	FullWait        = 100 * time.Millisecond // a call that takes so long gives a whole new allowance, a shorter one a part
	InstantCall     = 100 * time.Microsecond // a call that takes less has not waited for anything
)

// Bound is one thing that is limited.
type Bound struct{ What, Most string }

// Bounds are the limits of a script, for the reference.
func Bounds() []Bound {
	n := func(v int, unit string) string { return fmt.Sprintf("%d %s", v, unit) }
	return []Bound{
		{"work between two calls of a provider", fmt.Sprintf("%d million instructions, and %v of processor time; a word or a call counts as 1000, a note or an expectation as 2000, a step or a branch as 4000 more, a call that fails as 3000 more, and a call gives them back when it takes %v, a part of them when it takes less, and nothing within %v",
			MaxInstructions/1_000_000, MaxCPU, FullWait, InstantCall)},
		{"memory", n(MaxHeap>>20, "MiB that a run's heap may grow while a script runs; the process stays below 300 MiB")},
		{"one string", n(MaxString>>20, "MiB")},
		{"a pattern", fmt.Sprintf("%d KiB, and %d million steps of one match", MaxPattern>>10, MaxPatternSteps/1_000_000)},
		{"functions inside each other", fmt.Sprintf("%d calls, %d of pcall", MaxCalls, MaxPcalls)},
		{"values that `unpack` and `string.byte` return", n(MaxResults, "")},
		{"a list", n(MaxList-1, "items; `#` does not count further ones")},
		{"a file", n(MaxSource>>10, "KiB")},
		{"a title, a branch's name", n(MaxTitle, "bytes, without control characters")},
		{"a note; an error, a question, a printed line", fmt.Sprintf("%d KiB; %d KiB; the rest is cut off", MaxText>>10, MaxMessage>>10)},
		{"a value that a step returns, or a call is given", fmt.Sprintf("%d values, %d KiB of text, %d tables inside each other", MaxItems, MaxPlain>>10, MaxDepth)},
		{"what the branches of one `parallel` or `each` return together", n(MaxJoined>>20, "MiB")},
		{"branches", fmt.Sprintf("%d of one `parallel` or `each`, %d of them at once; %d under way in all", MaxBranches, MaxAtOnce, MaxAlive)},
		{"attempts of a step or a retry", n(MaxAttempts, "")},
		{"steps and branches inside each other", n(MaxNested, "")},
		{"the journal of a run", fmt.Sprintf("%d records, %d MiB", MaxRecords, MaxJournal>>20)},
	}
}
