package host

import (
	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/journal"
)

// Seams lets a test stand between a run and what the run stands on, to let it
// die at a chosen moment: each takes what would be used and returns what is
// used. A nil one changes nothing. The command line sets none.
type Seams struct {
	Store   func(journal.Store) journal.Store
	Network func(binding.Network) binding.Network
	Clock   func(clock.Clock) clock.Clock
}

func (s Seams) store(store journal.Store) journal.Store {
	if s.Store == nil {
		return store
	}
	return s.Store(store)
}

// surround changes the environment of a run.
func (s Seams) surround(env *environment) {
	if s.Network != nil {
		env.net = s.Network(env.net)
	}
	if s.Clock != nil {
		env.clock = s.Clock(env.clock)
	}
}
