package physical

import (
	"sync"
	"time"

	"github.com/webhost-systems/drhost/bindings/backup/postgres"
)

// samples are moments of the server's clock, each with a place in its log that
// lies behind every commit which a client had been told of by then.
type samples struct {
	mu    sync.Mutex
	taken []sample
}

type sample struct {
	at   postgres.LSN
	when time.Time
}

func (s *samples) add(one sample) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken = append(s.taken, one)
}

// before is the last moment whose commits all lie before a place.
func (s *samples) before(at postgres.LSN) (when time.Time, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range s.taken {
		if one.at <= at && one.when.After(when) {
			when, ok = one.when, true
		}
	}
	return when, ok
}
